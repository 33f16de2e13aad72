/** The prover's worker, made of modules, where a server hands them out.  The site has packed-worker.js instead. */
export const makeWorker = async () => new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
