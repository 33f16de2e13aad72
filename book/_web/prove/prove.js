/**
 * Prove or refute an inequality between entropies, in the reader's browser.
 *
 *     import { prove } from "./prove.js";
 *     const answer = await prove("I(A;C) <= I(A;B)", ["A -> B -> C"]);
 *     answer.verdict                                  // "proved"
 *
 * The language is the book's (expr.js).  The work is done in a worker, which is started at the first question and kept.
 *
 * @typedef {object} Answer
 * @property {"proved" | "false" | "open"} verdict
 *   "proved": the statement is a sum of Shannon-type inequalities and the assumptions, hence true of all distributions;
 *   "false": a distribution obeys the assumptions and breaks it;
 *   "open": there is no such sum, and the search found no such distribution
 * @property {string} statement as it was read; `latex` the same for a formula
 * @property {string[]} given the assumptions as they were read; `givenLatex` the same for formulas
 * @property {object} check what the independent verifier (verify.js) says: {accepted: true, message, ...}
 * @property {number} seconds how long it took
 * @property {import("./verify.js").Certificate} [certificate] of what is proved: the sums, with exact multipliers
 * @property {{sign: 1 | -1, steps: object[]}[]} [sums] the same for display; -1: of the other direction of an equation
 * @property {{names: string[], outcomes: number[][], p: string[]}} [counterexample] of what is false
 * @property {number} [violation] by how many bits it is false there
 * @property {{left: number, right: number, sign: string, holds: boolean}[]} [sides] of each relation there, in bits
 * @property {Record<string, string> | null} [polymatroid] of what is open: values of joint entropies, checked exactly,
 *   that obey all Shannon-type inequalities and the assumptions but not the statement (sets that are missing have 0);
 *   null if the solver's values could not be made exact
 */

import { printed } from "./expr.js";
import { makeWorker } from "./make-worker.js";

/** A text that could not be read: `which` of the texts (0: the statement), and the `position` in it. */
export class QuestionError extends Error {
  constructor({ message, position, which, text }) {
    super(message);
    Object.assign(this, { name: "QuestionError", position, which, text });
  }
}

let worker = null;
let starting = null;
let last = 0;
const waiting = new Map();

/** The worker, or an error for all who wait for it. */
function start() {
  starting = starting || makeWorker().then(listen, (error) => stop(error));
  return starting;
}

function listen(made) {
  worker = made;
  worker.onmessage = ({ data: { id, answer, error } }) => {
    const one = waiting.get(id);
    waiting.delete(id);
    if (!one) return;
    if (answer) one.resolve(answer);
    else one.reject(error.position === undefined ? new Error(error.message) : new QuestionError(error));
  };
  worker.onerror = (event) => stop(new Error(event.message || "the solver could not be started"));
}

/** End the worker; what waits for it fails with this error. */
function stop(error) {
  worker?.terminate();
  worker = starting = null;
  for (const { reject } of waiting.values()) reject(error);
  waiting.clear();
}

/** Start the worker before the first question. */
export const ready = () => start();

/**
 * @param {string} statement such as "I(A;C) <= I(A;B)"
 * @param {string[]} [given] the assumptions, such as ["A -> B -> C"]
 * @param {{signal?: AbortSignal, seconds?: number}} [how] a signal cancels; seconds bound the search for a
 *   counterexample (the linear program takes its time)
 * @returns {Promise<Answer>}
 * @throws {QuestionError} for a text that is not in the language; AbortError if it was cancelled
 */
export function prove(statement, given = [], { signal, seconds = 2 } = {}) {
  return new Promise((resolve, reject) => {
    const cancelled = () => new DOMException("cancelled", "AbortError");
    if (signal?.aborted) {
      reject(cancelled());
      return;
    }
    const id = ++last;
    waiting.set(id, { resolve, reject });
    signal?.addEventListener("abort", () => waiting.has(id) && stop(cancelled()), { once: true });
    const names = [...printed];
    start().then(() => waiting.has(id) && worker?.postMessage({ id, statement, given, seconds, names }));
  });
}
