/** The page "Try an inequality": a form, and what the prover says. */

import { ExpressionError, latex, parse } from "./expr.js";
import { prove, QuestionError } from "./prove.js";

/** An element with properties and children; strings are text. */
function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element && !name.startsWith("aria-")) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

const formula = (text) => make("span", { className: "math" }, `\\(${text}\\)`);
const display = (text) => make("div", { className: "rb-try-formula" }, make("div", { className: "math" }, `\\[${text}\\]`));

/** Set the formulas inside an element, where the page has MathJax. */
async function typeset(element) {
  const { MathJax } = window;
  await MathJax?.startup?.promise;
  if (MathJax?.typesetPromise) await MathJax.typesetPromise([element]);
  for (const one of [element, ...element.querySelectorAll(".rb-try-formula")]) {
    if (!one.matches(".rb-try-shown, .rb-try-formula")) continue;
    const wide = one.scrollWidth > one.clientWidth; // then the keyboard must reach it to scroll
    if (wide) for (const [name, value] of Object.entries(SCROLLS)) one.setAttribute(name, value);
    else for (const name of Object.keys(SCROLLS)) one.removeAttribute(name);
  }
}

const SCROLLS = { tabindex: "0", role: "group", "aria-label": "a formula that scrolls" };

const lines = (text) => text.split("\n").map((line) => line.trim()).filter(Boolean);
const number = (x) => String(Math.abs(x) < 5e-10 ? 0 : Number(x.toPrecision(6))).replace("-", "−");
const bits = (x) => `${number(x)} bit`;

/** One text with its label, its formula as it is typed, and what is wrong with it. */
class Field {
  constructor(id, label, hint, rows, several) {
    this.several = several;
    this.input = make("textarea", { id, rows, spellcheck: false, autocapitalize: "off", autocomplete: "off" });
    this.hint = make("p", { id: `${id}-hint`, className: "rb-try-hint" }, hint);
    this.shown = make("div", { className: "rb-try-shown" });
    this.wrong = make("div", { id: `${id}-wrong`, className: "rb-try-wrong", role: "alert" });
    this.input.setAttribute("aria-describedby", `${this.hint.id} ${this.wrong.id}`);
    this.element = make(
      "div", { className: "rb-try-field" }, make("label", { htmlFor: id }, label), this.input, this.hint, this.shown, this.wrong,
    );
    this.input.addEventListener("input", () => {
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.preview(), 350);
    });
  }

  get texts() {
    return this.several ? lines(this.input.value) : [this.input.value.replace(/\s+/g, " ").trim()];
  }

  set(text) {
    this.input.value = text;
    const wide = (this.input.clientWidth || 600) / 10.5; // characters in a line
    const needed = text.split("\n").reduce((rows, line) => rows + Math.max(1, Math.ceil(line.length / wide)), 0);
    this.input.rows = Math.max(this.several ? 2 : 1, needed);
    this.preview();
  }

  /** Show the formulas; a text that is not finished shows nothing. */
  preview() {
    this.fail(null);
    const made = [];
    for (const text of this.texts) {
      try {
        if (text) made.push(formula(parse(text).latex));
      } catch (error) {
        if (!(error instanceof ExpressionError)) throw error;
      }
    }
    this.shown.replaceChildren(...made.map((one) => make("p", {}, one)));
    if (made.length) typeset(this.shown);
  }

  /** Say what is wrong, with the place. */
  fail(error) {
    this.wrong.replaceChildren();
    this.input.removeAttribute("aria-invalid");
    if (!error) return;
    this.input.setAttribute("aria-invalid", "true");
    const { message, text, position } = error;
    const place = make("pre", {}, `${text}\n${" ".repeat(position)}^`);
    this.wrong.append(make("p", {}, message[0].toUpperCase() + message.slice(1), "."), place);
    const start = this.input.value.indexOf(text);
    if (start >= 0) this.input.setSelectionRange(start + position, Math.min(start + position + 1, start + text.length));
    this.input.focus();
  }
}

// --- answers -------------------------------------------------------------------------------------------------------

/** A sum as rows: multiplier, measure, what is known of it. */
function sumTable(steps) {
  const rows = steps.map(({ multiplier, latex: tex, relation, reason, reasonLatex }) => {
    const because =
      reason === "Shannon" ? ["a basic inequality"]
      : reason === "alphabet" ? ["no entropy exceeds that of equal chances"]
      : ["assumed: ", formula(reasonLatex)];
    return make(
      "tr", {},
      make("td", { className: "rb-try-factor" }, multiplier.replace("-", "−")),
      make("td", {}, formula(`${tex} ${relation === "=" ? "=" : "\\ge"} 0`)),
      make("td", {}, ...because),
    );
  });
  const head = ["times", "summand", "why"].map((text) => make("th", { scope: "col" }, text));
  return make(
    "div", { className: "rb-try-scroll", tabIndex: 0, role: "region", "aria-label": "the sum" },
    make("table", { className: "table" }, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...rows)),
  );
}

function proved({ statement, sums, check }) {
  const constraints = parse(statement).constraints;
  const parts = [];
  let at = 0;
  constraints.forEach(({ relation }, i) => {
    const which = constraints.length > 1 ? `Relation ${i + 1}: ` : "";
    for (const direction of relation === "=" ? ["left side minus right side", "right side minus left side"] : ["larger side minus smaller side"]) {
      const { steps } = sums[at++];
      const text = steps.length
        ? `${which}${direction} is the sum of`
        : `${which}both sides are the same combination of joint entropies.`;
      parts.push(make("p", {}, text[0].toUpperCase() + text.slice(1)));
      if (steps.length) parts.push(sumTable(steps));
    }
  });
  const unique = parts.filter((part, i) => i === 0 || part.textContent !== parts[i - 1].textContent || part.tagName !== "P");
  return [
    make("h2", { className: "rb-try-proved" }, "Proved"),
    make("p", {}, "It follows from Shannon-type inequalities", check.assumptions ? " and the assumptions" : "", ", so it is true of all distributions", check.assumptions ? " that satisfy them." : "."),
    ...unique,
    make("p", { className: "rb-check-said rb-check-good" }, `✓ Checked by the independent verifier: ${check.message}.`),
  ];
}

function refuted({ counterexample: { names, outcomes, p }, violation, sides, given }) {
  const head = [...names.map((name) => formula(latex(name))), "probability"];
  const rows = outcomes.map((row, i) => [...row.map(String), p[i]]);
  const table = make(
    "table", { className: "table" },
    make("thead", {}, make("tr", {}, ...head.map((cell) => make("th", { scope: "col" }, cell)))),
    make("tbody", {}, ...rows.map((row) => make("tr", {}, ...row.map((cell) => make("td", {}, cell))))),
  );
  const told = sides
    .filter(({ holds }) => !holds)
    .map(({ left, right, sign }) => `There the left side is ${bits(left)} and the right side ${bits(right)}, where ${sign} is claimed.`);
  const exact = given.length ? "It satisfies the assumptions (equations were checked without rounding)." : "";
  return [
    make("h2", { className: "rb-try-false" }, "False"),
    make("p", {}, `This distribution breaks it, by ${bits(violation)}:`),
    make("div", { className: "rb-try-scroll", tabIndex: 0, role: "region", "aria-label": "the distribution" }, table),
    make("p", {}, [...told, exact].filter(Boolean).join(" ")),
    make("p", { className: "rb-check-said rb-check-good" }, "✓ Checked by the independent verifier, from the table alone."),
  ];
}

function open({ polymatroid, given }) {
  const assumed = given.length ? " and the assumptions" : "";
  const why = polymatroid
    ? `There are values of joint entropies that obey all Shannon-type inequalities${assumed}, but not the statement (checked exactly).`
    : "The linear program has no solution, in floating point.";
  const found = [
    make("h2", { className: "rb-try-open" }, "Open"),
    make("p", {}, `No Shannon-type proof exists, and no counterexample was found. ${why} `,
      "So the statement is either false, on a distribution that the search did not try, or true for another reason."),
  ];
  if (polymatroid) {
    const items = Object.entries(polymatroid).map(([set, value]) => `h(${set}) = ${value}`);
    found.push(make("details", {}, make("summary", {}, "These values"), make("p", {}, items.join(", "))));
  }
  return found;
}

const ANSWERS = { proved, false: refuted, open };

// --- the page -----------------------------------------------------------------------------------------------------

/** @param {HTMLElement} place with the examples as JSON: [[group, [[name, statement, [assumption]]]]] */
export function start(place) {
  const groups = JSON.parse(place.dataset.examples);
  const statement = new Field(
    "rb-try-statement", "Statement", "For example H(A,B) <= H(A) + H(B), I(A;B|C) = 0, or A -> B -> C", 1, false,
  );
  const given = new Field("rb-try-given", "Assumptions, one a line", "None, or such as H(B|A) = 0", 2, true);
  const chooser = make("select", { id: "rb-try-example" }, make("option", { value: "" }, "choose an example"));
  const examples = groups.flatMap(([name, list]) => {
    const options = list.map(([title], i) => make("option", { value: `${name}|${i}` }, title));
    chooser.append(make("optgroup", { label: name }, ...options));
    return list.map(([, s, g], i) => [`${name}|${i}`, s, g]);
  });
  const go = make("button", { type: "submit", className: "rb-try-go" }, "Prove or refute");
  const stop = make("button", { type: "button", hidden: true }, "Cancel");
  const answer = make("div", { className: "rb-try-answer", role: "status" });
  const form = make(
    "form", { noValidate: true },
    make("div", { className: "rb-try-field" }, make("label", { htmlFor: chooser.id }, "Examples"), chooser),
    statement.element, given.element,
    make("div", { className: "rb-check-bar" }, go, stop),
  );
  place.replaceChildren(form, answer);
  let controller = null;

  async function ask() {
    controller?.abort();
    const mine = (controller = new AbortController());
    const [text] = statement.texts;
    const texts = given.texts;
    [statement, given].forEach((field) => field.fail(null));
    history.replaceState(null, "", `#${new URLSearchParams({ s: text, ...(texts.length ? { given: texts.join("\n") } : {}) })}`);
    stop.hidden = false;
    answer.setAttribute("aria-busy", "true");
    answer.replaceChildren(make("p", {}, "Looking for a proof …"));
    try {
      const found = await prove(text, texts, { signal: mine.signal });
      const asked = display([found.latex, ...found.givenLatex.map((one, i) => `${i ? "" : "\\text{given }"}${one}`)].join(",\\quad "));
      const time = make("p", { className: "rb-try-hint" }, `${found.seconds.toFixed(2)} seconds. The address of this page now carries the question.`);
      answer.replaceChildren(asked, ...ANSWERS[found.verdict](found), time);
      await typeset(answer);
    } catch (error) {
      if (mine !== controller) return;
      answer.replaceChildren(make("p", {}, error.name === "AbortError" ? "Cancelled." : "No answer: see what is marked above."));
      if (error instanceof QuestionError) (error.which ? given : statement).fail(error);
      else if (error.name !== "AbortError") answer.replaceChildren(make("p", {}, `This did not work: ${error.message}.`));
    } finally {
      if (mine === controller) {
        stop.hidden = true;
        answer.removeAttribute("aria-busy");
      }
    }
  }

  function fromAddress() {
    const query = new URLSearchParams(location.hash.slice(1));
    if (!query.get("s")) return false;
    statement.set(query.get("s"));
    given.set(query.get("given") || "");
    return true;
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    ask();
  });
  form.addEventListener("keydown", (event) => {
    const one = event.target === statement.input && !event.shiftKey;
    if (event.key === "Enter" && (one || event.ctrlKey || event.metaKey) && !event.isComposing) {
      event.preventDefault();
      ask();
    }
  });
  stop.addEventListener("click", () => {
    controller?.abort();
    go.focus();
  });
  chooser.addEventListener("change", () => {
    const chosen = examples.find(([name]) => name === chooser.value);
    if (!chosen) return;
    statement.set(chosen[1]);
    given.set(chosen[2].join("\n"));
    answer.replaceChildren();
  });
  addEventListener("hashchange", () => fromAddress() && ask());
  if (fromAddress()) ask();
  else {
    statement.set(examples[0][1]);
    given.set(examples[0][2].join("\n"));
  }
}
