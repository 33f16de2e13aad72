/** What the prover says, as elements of a page: formulas, sums, distributions. */

import { latex, parse } from "./expr.js";

/** An element with properties and children; strings are text. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element && !name.startsWith("aria-")) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

export const formula = (text) => make("span", { className: "math" }, `\\(${text}\\)`);
export const display = (text) => make("div", { className: "rb-try-formula" }, make("div", { className: "math" }, `\\[${text}\\]`));

/** A formula in pieces, so that it wraps before a relation or a sign outside parentheses. */
export function wrapping(text) {
  const pieces = [""];
  let depth = 0;
  for (const part of text.split(/( \\le | \\ge | = | \+ | - |[()])/)) {
    depth += part === "(" ? 1 : part === ")" ? -1 : 0;
    if (/^ .+ $/.test(part) && !depth && pieces.at(-1)) pieces.push(`{}${part}`);
    else pieces[pieces.length - 1] += part;
  }
  return make("span", {}, ...pieces.flatMap((piece) => [formula(piece.trim()), " "]));
}

/** Set the formulas inside an element, where the page has MathJax. */
export async function typeset(element) {
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

const number = (x) => String(Math.abs(x) < 5e-10 ? 0 : Number(x.toPrecision(6))).replace("-", "−");
export const bits = (x) => `${number(x)} bit`;

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

/** The sums of a proof, each with a sentence before it. */
export function sumsOf({ statement, sums }) {
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
  return parts.filter((part, i) => i === 0 || part.textContent !== parts[i - 1].textContent || part.tagName !== "P");
}

function proved(found) {
  const { check } = found;
  return [
    make("h2", { className: "rb-try-proved" }, "Proved"),
    make("p", {}, "It follows from Shannon-type inequalities", check.assumptions ? " and the assumptions" : "", ", so it is true of all distributions", check.assumptions ? " that satisfy them." : "."),
    ...sumsOf(found),
    make("p", { className: "rb-check-said rb-check-good" }, `✓ Checked by the independent verifier: ${check.message}.`),
  ];
}

/** A distribution as a table. */
export function tableOf({ names, outcomes, p }) {
  const head = [...names.map((name) => formula(latex(name))), "probability"];
  const rows = outcomes.map((row, i) => [...row.map(String), p[i]]);
  const table = make(
    "table", { className: "table" },
    make("thead", {}, make("tr", {}, ...head.map((cell) => make("th", { scope: "col" }, cell)))),
    make("tbody", {}, ...rows.map((row) => make("tr", {}, ...row.map((cell) => make("td", {}, cell))))),
  );
  return make("div", { className: "rb-try-scroll", tabIndex: 0, role: "region", "aria-label": "the distribution" }, table);
}

const SIGNS = { "<=": "≤", ">=": "≥" };

/** The two sides of each relation that fails there. */
export const sidesTold = (sides) =>
  sides
    .filter(({ holds }) => !holds)
    .map(({ left, right, sign }) => `There the left side is ${bits(left)} and the right side ${bits(right)}, where ${SIGNS[sign] || sign} is claimed.`);

function refuted({ counterexample, violation, sides, given }) {
  const exact = given.length ? "It satisfies the assumptions (equations were checked without rounding)." : "";
  return [
    make("h2", { className: "rb-try-false" }, "False"),
    make("p", {}, `This distribution breaks it, by ${bits(violation)}:`),
    tableOf(counterexample),
    make("p", {}, [...sidesTold(sides), exact].filter(Boolean).join(" ")),
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

export const ANSWERS = { proved, false: refuted, open };
