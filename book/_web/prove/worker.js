/** The prover's worker: it loads the solver at the first question, and answers one after the other. */

import load from "../lib/highs/highs.mjs";
import { decide } from "./decide.js";
import { printed } from "./expr.js";

let solver = null;
let handed = null; // the solver's code, where the page hands it over

/** The solver, whose code is stored compressed. */
async function solve() {
  const address = URL.createObjectURL(new Blob([handed || (await fetched())], { type: "application/wasm" }));
  return load({ locateFile: () => address });
}

/** Its code from the file beside this one. */
async function fetched() {
  const packed = await fetch(new URL("../lib/highs/highs.wasm.gz", import.meta.url));
  if (!packed.ok) throw new Error(`the solver could not be loaded (${packed.status})`);
  return new Response(packed.body.pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

self.onmessage = async ({ data: { id, statement, given, seconds, names, wasm } }) => {
  if (wasm) {
    handed = wasm;
    return;
  }
  try {
    for (const [name, latex] of names) printed.set(name, latex);
    solver = solver || (await solve());
    self.postMessage({ id, answer: decide(statement, given, solver, seconds) });
  } catch (error) {
    const { message, position, which, text } = error;
    self.postMessage({ id, error: { message, position, which, text } });
  }
};
