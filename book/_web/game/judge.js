/**
 * Is an answer right?  By mathematics: the prover says what is true, and what follows from what.
 *
 * A bound counts if it is true, and met with equality wherever the goal is: then the goal follows from it, up to a
 * factor and basic inequalities, and it gives away nothing that the goal does not.  (That the goal follows "from the
 * answer and Shannon's inequalities" would be true of every answer, since it follows from these alone.)
 *
 * @typedef {object} Verdict
 * @property {boolean} solved
 * @property {boolean} [true] what is said is true, though it is not what is asked for
 * @property {string} say one or two sentences
 * @property {number} [wrong] which of the level's typical wrong answers it is
 * @property {object} [found] the prover's answer, to be shown
 * @property {object} [room] a distribution on which the goal is an equation and the answer is not
 * @typedef {(statement: string, given: string[], seconds: number) => Promise<object>} Ask
 */

import { parse } from "../prove/expr.js";
import { fromText, toText } from "../prove/fraction.js";
import { refutes } from "../prove/verify.js";

const no = (say, more = {}) => ({ solved: false, say, ...more });
const yes = (say, more = {}) => ({ solved: true, say, ...more });
const equation = (text) => text.replace(/[<>]=/g, "=");
const list = (x) => (Array.isArray(x) ? x : [x]);

/** A form as text, up to a positive factor. */
function shape(form) {
  const sorted = [...form].sort(([a], [b]) => (a < b ? -1 : 1));
  if (!sorted.length) return "0";
  const size = Math.abs(Number(sorted[0][1][0]) / Number(sorted[0][1][1]));
  return sorted.map(([set, [n, d]]) => `${set}:${(Number(n) / Number(d) / size).toFixed(9)}`).join(" ");
}

const shapes = (text) => parse(text).constraints.map(({ form, relation }) => `${relation} ${shape(form)}`).join(";");
const quantities = (text) => text.match(/[HI]\([^()]*\)/g) || [];
const formOf = (quantity) => shape(parse(`${quantity} >= 0`).constraints[0].form);

/** Which typical wrong answer it is: the same statement, however it is written. */
function typical(wrong, same) {
  const at = wrong.findIndex(same);
  return at < 0 ? {} : { wrong: at };
}

/** The statement that an answer makes. */
export const whole = ({ before = "" }, text) => `${before} ${text}`.trim();

/** Why an answer is not of the kind that the level asks for, or "". */
function outside(level, read) {
  const { variables, before = "" } = level;
  const stranger = read.variables.find((name) => !variables.includes(name));
  if (stranger) return `This level speaks of ${variables.join(", ")}. What is ${stranger}?`;
  if (!before) return "";
  if (read.constraints.length > 1) return "Give only what follows the sign that is there.";
  const used = quantities(read.text).slice(quantities(before).length);
  const allowed = level.quantities?.map(formOf);
  const extra = allowed && used.find((one) => !allowed.includes(formOf(one)));
  return extra ? `${extra} is not among the quantities that this level asks for.` : "";
}

/** @returns {Promise<Verdict>} @throws {ExpressionError} for a text that cannot be read */
async function judgeState(level, text, ask) {
  const { given = [], goal } = level;
  const asked = whole(level, text);
  const read = parse(asked);
  const problem = outside(level, read);
  if (problem) return no(problem);
  const identity = list(goal).every((one) => !/[<>]=/.test(one));
  if (!identity && read.constraints.every(({ form }) => !form.size)) {
    return no("Both sides are the same: that is true, and says nothing.", { true: true });
  }
  const mine = shapes(asked);
  const which = typical(level.wrong, (one) => shapes(whole(level, one)) === mine);
  const found = await ask(asked, given, 2);
  if (found.verdict === "false") return no("That is not true.", { found, ...which });
  if (found.verdict === "open") return no("There is no proof of it, and no counterexample was found.", { found, ...which });
  if (identity) return yes("That is it.", { found });
  if (given.length || read.constraints.every(({ relation }) => relation === "=")) {
    const always = await ask(equation(asked), given, 0.2);
    if (always.verdict === "proved") {
      return no("True, but the two sides are always equal here. Bound it by something that can be larger or smaller.", { true: true });
    }
  }
  let room = null;
  for (const one of list(goal)) {
    const tight = await ask(equation(asked), [...given, equation(one)], 0.6);
    if (tight.verdict === "proved") return yes("That is it.", { found });
    if (tight.verdict === "false") room = tight;
  }
  return no("True, but weaker than what is asked for.", { true: true, room, ...which });
}

/** Cards that were picked. */
async function judgeAssume(level, picked, ask) {
  const { goal, most } = level;
  if (!picked.length) return no("Pick at least one card.");
  if (picked.length > most) return no(`At most ${most} of the cards.`);
  const which = typical(level.wrong, (one) => one.length === picked.length && one.every((card) => picked.includes(card)));
  const found = await ask(goal, picked, 2);
  if (found.verdict !== "proved") {
    const say = found.verdict === "false" ? "That is not enough." : "There is no proof from these, and no counterexample was found.";
    return no(say, { found, ...which });
  }
  for (const card of picked) {
    const less = await ask(goal, picked.filter((one) => one !== card), 0.2);
    if (less.verdict === "proved") return no(`Enough, but more than enough: it holds without ${card}.`, { true: true });
  }
  return yes("That is enough, and each card is needed.", { found });
}

/** A factor. */
async function judgeConstant(level, text, ask) {
  const { given = [], goal, largest } = level;
  const plain = text.trim().replace(",", ".");
  if (!/^(\d+(\.\d+)?|\.\d+)(\/0*[1-9]\d*)?$/.test(plain)) return no("Write a number, such as 3, 1/3 or 0.3.");
  const [n, d] = fromText(plain);
  const [a, b] = fromText(largest);
  const put = (k) => goal.replace("{k}", k).replace(/\b1 (?=[HI]\()/, "");
  const which = typical(level.wrong, (one) => toText(fromText(one)) === toText([n, d]));
  if (n === 0n) return no("True with 0, but that says little.");
  const found = await ask(put(toText([n, d])), given, 2);
  if (found.verdict !== "proved") return no("That is too much.", { found, ...which });
  if (n * b < a * d) return no("True, but not the largest.", { true: true, ...which });
  const more = await ask(put(toText([n * 101n, d * 100n])), given, 2);
  const sharp = more.verdict === "false" ? " One hundredth more is false." : "";
  return yes(`That is the largest.${sharp}`, { found });
}

/** A distribution, as {names, outcomes, p}; `chosen` is how it was built. */
function judgeBreak(level, { example, chosen }) {
  const { given = [], goal } = level;
  const which = typical(level.wrong, (one) => one.join() === chosen.join());
  if (!example.outcomes.length) return no("Give at least one row a weight.");
  const { accepted, message, violation } = refutes({ ...example, statement: goal, given });
  if (accepted) return yes("It is broken.", { violation });
  const disobeyed = /does not obey (.*)$/.exec(message);
  if (disobeyed) return no("This distribution does not obey an assumption:", { assumption: disobeyed[1], ...which });
  const near = message.startsWith("too near") ? "The two sides are too near to each other to tell." : "The statement holds there.";
  return no(near, which);
}

/** @returns {Promise<Verdict>} of an answer as the level's kind has it */
export async function judge(level, answer, ask) {
  const by = { state: judgeState, assume: judgeAssume, constant: judgeConstant, break: judgeBreak };
  return by[level.kind](level, answer, ask);
}
