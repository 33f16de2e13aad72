/**
 * True-or-false questions from a seed: the same for all who give the same seed.
 *
 * A coin says whether the next statement shall be true; candidates are drawn until one is.  The prover decides.
 */

import { parse } from "../prove/expr.js";
import { generator } from "../prove/random.js";

const TRIES = 40;

/** Draws of a question. */
class Draw {
  constructor(random) {
    this.random = random;
  }

  below(n) {
    return Math.floor(this.random() * n);
  }

  one(list) {
    return list[this.below(list.length)];
  }

  shuffled(list) {
    const left = [...list];
    return list.map(() => left.splice(this.below(left.length), 1)[0]);
  }

  /** H or I of disjoint groups of some of the names, with or without a condition. */
  measure(names) {
    const order = this.shuffled(names);
    const take = (most) => order.splice(0, 1 + this.below(Math.min(most, order.length))).sort().join(",");
    const [first, pair] = [take(order.length > 2 ? 2 : 1), order.length > 0 && this.random() < 0.6];
    const second = pair ? `;${take(1)}` : "";
    const given = order.length && this.random() < 0.45 ? `|${take(1)}` : "";
    return `${pair ? "I" : "H"}(${first}${second}${given})`;
  }

  /** An assumption, or none. */
  given(names) {
    if (names.length < 3 || this.random() < 0.45) return [];
    const [a, b, c] = this.shuffled(names);
    return [this.one([`${a} -> ${b} -> ${c}`, `I(${a};${b}) = 0`, `H(${a}|${b}) = 0`, `${a} -> ${b} -> ${c}`])];
  }

  /** Two sums over two to four variables. */
  statement() {
    const names = ["A", "B", "C", "D"].slice(0, this.one([2, 2, 3, 3, 3, 3, 4]));
    const side = () => Array.from({ length: this.one([1, 1, 2]) }, () => this.measure(names)).join(" + ");
    return { statement: `${side()} <= ${side()}`, given: this.given(names) };
  }
}

/** Is it worth asking: not the same on both sides, no measure twice, and the assumption is about it? */
function fair({ statement, given }) {
  const { constraints, variables } = parse(statement);
  const measures = statement.match(/[HI]\([^()]*\)/g);
  if (new Set(measures).size < measures.length || !constraints[0].form.size) return false;
  if ([...constraints[0].form.values()].every(([n]) => n > 0n)) return false;
  return given.every((text) => parse(text).variables.every((name) => variables.includes(name)));
}

/**
 * @param {number} seed @param {number} number of the question, from 1
 * @param {Function} ask the prover
 * @returns {Promise<{statement: string, given: string[], truth: boolean, found: object}>}
 */
export async function question(seed, number, ask) {
  const draw = new Draw(generator(Math.imul(seed, 7919) + number * 104729));
  const wanted = draw.random() < 0.5;
  let other = null;
  for (let tries = 0; tries < TRIES; ) {
    const candidate = draw.statement();
    if (!fair(candidate)) continue;
    tries++;
    const found = await ask(candidate.statement, candidate.given, 2);
    if (found.verdict === "open") continue;
    const made = { ...candidate, truth: found.verdict === "proved", found };
    if (made.truth === wanted) return made;
    other = other || made;
  }
  return other;
}
