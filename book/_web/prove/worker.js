/** The prover's worker: it loads the solver at the first question, and answers one after the other. */

import load from "../lib/highs/highs.mjs";
import { decide } from "./decide.js";

let solver = null;

self.onmessage = async ({ data: { id, statement, given, seconds } }) => {
  try {
    solver = solver || (await load());
    self.postMessage({ id, answer: decide(statement, given, solver, seconds) });
  } catch (error) {
    const { message, position, which, text } = error;
    self.postMessage({ id, error: { message, position, which, text } });
  }
};
