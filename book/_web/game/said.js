/** What a verdict looks like: the sentence, the reply to a typical wrong answer, and the evidence. */

import { latex } from "../prove/expr.js";
import { bits, formula, make, sidesTold, sumsOf, tableOf, typeset } from "../prove/shown.js";

/** Evidence that unfolds; its formulas are set when it does. */
function folded(title, ...inside) {
  const box = make("details", { className: "rb-evidence" }, make("summary", {}, title), ...inside);
  box.addEventListener("toggle", () => box.open && typeset(box), { once: true });
  return box;
}

/** A distribution with its variables in the level's order. */
function arranged({ names, outcomes, p }, order) {
  const places = [...names.keys()].sort((a, b) => order.indexOf(names[a]) - order.indexOf(names[b]));
  return { names: places.map((at) => names[at]), outcomes: outcomes.map((row) => places.map((at) => row[at])), p };
}

/** The proof or the counterexample that the prover found; `order` is that of the variables. */
export function evidence(found, order) {
  if (found.verdict === "proved") {
    const checked = `✓ Checked by the independent verifier: ${found.check.message}.`;
    return [folded("Show the proof", ...sumsOf(found), make("p", { className: "rb-check-said rb-check-good" }, checked))];
  }
  if (found.verdict === "false") {
    const met = found.given.length ? " The assumptions hold in it." : "";
    return [make("p", {}, `A distribution on which it fails, by ${bits(found.violation)}. `, ...sidesTold(found.sides), met), tableOf(arranged(found.counterexample, order))];
  }
  return [];
}

/** On a distribution the goal is met with equality, and the answer is not. */
function room({ counterexample, sides: [{ left, right }] }, order) {
  const say = `On this distribution what is asked for holds with equality, and your two sides differ by ${bits(Math.abs(left - right))}.`;
  return [make("p", {}, say), tableOf(arranged(counterexample, order))];
}

/**
 * @param {import("./judge.js").Verdict} verdict
 * @param {Element[]} replies the hidden texts of the level
 * @param {string[]} order of the variables
 * @returns {Node[]}
 */
export function told(verdict, replies, order) {
  const { solved, say, wrong, found, assumption, violation } = verdict;
  const [mark, colour] = solved ? ["✓ ", "rb-check-good"] : verdict.true ? ["", "rb-part-good"] : ["✗ ", "rb-check-bad"];
  const parts = [make("p", { className: `rb-verdict ${colour}` }, mark, say)];
  if (assumption) parts.push(make("p", {}, formula(latex(assumption))));
  if (wrong !== undefined) parts.push(make("div", { className: "rb-replied" }, ...[...replies[wrong].cloneNode(true).childNodes]));
  if (violation) parts.push(make("p", {}, `The statement is false there, by ${bits(violation)}.`));
  if (found) parts.push(...evidence(found, order));
  if (verdict.room) parts.push(...room(verdict.room, order));
  return parts;
}
