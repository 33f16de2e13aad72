/** What a verdict looks like: the sentence, the reply to a typical wrong answer, and the evidence. */

import { latex } from "../prove/expr.js";
import { bits, formula, make, sidesTold, sumsOf, tableOf, typeset } from "../prove/shown.js";

/** Evidence that unfolds; its formulas are set when it does. */
function folded(title, ...inside) {
  const box = make("details", { className: "rb-evidence" }, make("summary", {}, title), ...inside);
  box.addEventListener("toggle", () => box.open && typeset(box), { once: true });
  return box;
}

/** The proof or the counterexample that the prover found. */
export function evidence(found) {
  if (found.verdict === "proved") {
    const checked = `✓ Checked by the independent verifier: ${found.check.message}.`;
    return [folded("Show the proof", ...sumsOf(found), make("p", { className: "rb-check-said rb-check-good" }, checked))];
  }
  if (found.verdict === "false") {
    const met = found.given.length ? " The assumptions hold in it." : "";
    return [make("p", {}, `A distribution on which it fails, by ${bits(found.violation)}. `, ...sidesTold(found.sides), met), tableOf(found.counterexample)];
  }
  return [];
}

/** On a distribution the goal is met with equality, and the answer is not. */
function room({ counterexample, sides: [{ left, right }] }) {
  const say = `On this distribution what is asked for holds with equality, and your two sides differ by ${bits(Math.abs(left - right))}.`;
  return [make("p", {}, say), tableOf(counterexample)];
}

/**
 * @param {import("./judge.js").Verdict} verdict
 * @param {Element[]} replies the hidden texts of the level
 * @returns {Node[]}
 */
export function told(verdict, replies) {
  const { solved, say, wrong, found, assumption, violation } = verdict;
  const mark = solved ? "✓ " : "✗ ";
  const parts = [make("p", { className: `rb-verdict ${solved ? "rb-check-good" : "rb-check-bad"}` }, mark, say)];
  if (assumption) parts.push(make("p", {}, formula(latex(assumption))));
  if (wrong !== undefined) parts.push(make("div", { className: "rb-replied" }, ...[...replies[wrong].cloneNode(true).childNodes]));
  if (violation) parts.push(make("p", {}, `The statement is false there, by ${bits(violation)}.`));
  if (found) parts.push(...evidence(found));
  if (verdict.room) parts.push(...room(verdict.room));
  return parts;
}
