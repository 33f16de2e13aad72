/** The prover's worker: it loads the solver at the first question, and answers one after the other. */

import load from "../lib/highs/highs.mjs";
import { decide } from "./decide.js";

let solver = null;

/** The solver, whose code is stored compressed. */
async function solve() {
  const packed = await fetch(new URL("../lib/highs/highs.wasm.gz", import.meta.url));
  if (!packed.ok) throw new Error(`the solver could not be loaded (${packed.status})`);
  const code = packed.body.pipeThrough(new DecompressionStream("gzip"));
  const unpacked = await new Response(code, { headers: { "Content-Type": "application/wasm" } }).blob();
  const address = URL.createObjectURL(unpacked);
  return load({ locateFile: () => address });
}

self.onmessage = async ({ data: { id, statement, given, seconds } }) => {
  try {
    solver = solver || (await solve());
    self.postMessage({ id, answer: decide(statement, given, solver, seconds) });
  } catch (error) {
    const { message, position, which, text } = error;
    self.postMessage({ id, error: { message, position, which, text } });
  }
};
