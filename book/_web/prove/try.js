/** The page "Try an inequality": a form, and what the prover says. */

import { ExpressionError, parse } from "./expr.js";
import { prove, QuestionError } from "./prove.js";
import { ANSWERS, display, formula, make, typeset } from "./shown.js";

const lines = (text) => text.split("\n").map((line) => line.trim()).filter(Boolean);
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
