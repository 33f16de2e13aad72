/**
 * The prover's worker, made of one script, solver.js, that the build packs: so it starts from the disk, too, where a
 * browser loads neither modules nor other files.  `here` is the address of the script that this module is joined into.
 */
/* global here */

/** Base64 of a gzipped file as its bytes. */
async function unpacked(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

let loading = null;

/** The script's two parts, {code, wasm}, loaded once. */
function load() {
  loading =
    loading ||
    new Promise((resolve, reject) => {
      document.addEventListener("rb:solver", ({ detail }) => resolve(detail), { once: true });
      const script = document.createElement("script");
      script.src = new URL("../prove/solver.js", here).href;
      script.onerror = () => {
        loading = null;
        reject(new Error("the solver could not be loaded"));
      };
      document.head.append(script);
    });
  return loading;
}

export async function makeWorker() {
  const { code, wasm } = await load();
  const address = URL.createObjectURL(new Blob([await unpacked(code)], { type: "text/javascript" }));
  const worker = new Worker(address);
  const bytes = await unpacked(wasm);
  worker.postMessage({ wasm: bytes }, [bytes]);
  return worker;
}
