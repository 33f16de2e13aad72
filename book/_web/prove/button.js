/*
 * Below each statement that a certificate proves: a button that checks it here, and a link to try the statement.
 * A classic script, since pages are also opened from the disk, where browsers load no modules.  The verifier and the
 * certificates come with the first press, in check.js, which the build makes of verify.js.
 */
(() => {
  "use strict";
  const here = document.currentScript.src;
  const LABEL = "Check this proof in your browser";
  let loaded = null;

  /** The verifier and all certificates, once. */
  function load() {
    loaded =
      loaded ||
      new Promise((resolve, reject) => {
        document.addEventListener("rb:certificates", ({ detail }) => resolve(detail), { once: true });
        const script = document.createElement("script");
        script.src = new URL("check.js", here).href;
        script.onerror = () => {
          loaded = null;
          reject(new Error("the certificates could not be loaded"));
        };
        document.head.append(script);
      });
    return loaded;
  }

  /** One line for each statement of the box. */
  async function check(ids, said) {
    said.textContent = "Checking …";
    said.className = "rb-check-said";
    try {
      const { verify, certificates } = await load();
      const verdicts = ids.map((id) => verify(certificates[id]));
      said.replaceChildren(
        ...verdicts.map(({ accepted, message }, i) => {
          const line = document.createElement("p");
          const which = ids.length > 1 ? `, statement ${i + 1}` : "";
          line.textContent = `${accepted ? "✓ Checked here" : "✗ Not accepted"}${which}: ${message}.`;
          return line;
        }),
      );
      said.classList.add(verdicts.every(({ accepted }) => accepted) ? "rb-check-good" : "rb-check-bad");
    } catch (error) {
      said.textContent = `This did not work: ${error.message}.`;
      said.classList.add("rb-check-bad");
    }
  }

  function address({ statement, given }) {
    const query = new URLSearchParams({ s: statement });
    if (given.length) query.set("given", given.join("\n"));
    return `${new URL("../../try.html", here).href}#${query}`;
  }

  function fill(holder) {
    if (holder.dataset.ready) return;
    holder.dataset.ready = "yes";
    const ids = holder.dataset.check.split(" ");
    const bar = document.createElement("div");
    bar.className = "rb-check-bar";
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = ids.length > 1 ? LABEL.replace("this proof", "these proofs") : LABEL;
    bar.append(button);
    const tries = JSON.parse(holder.dataset.try || "[]");
    tries.forEach((one, i) => {
      const link = document.createElement("a");
      link.href = address(one);
      link.textContent = tries.length > 1 ? `Try statement ${i + 1}` : "Try it";
      link.title = "Change this inequality, or its assumptions, on a page that proves or refutes it";
      bar.append(link);
    });
    const said = document.createElement("div");
    said.className = "rb-check-said";
    said.setAttribute("role", "status");
    button.addEventListener("click", () => check(ids, said));
    holder.append(bar, said);
  }

  function fillAll() {
    document.querySelectorAll(".rb-check").forEach(fill);
  }

  function begin() {
    fillAll();
    new MutationObserver((changes) => changes.some(({ addedNodes }) => addedNodes.length) && fillAll()).observe(
      document.querySelector("article") || document.body,
      { childList: true, subtree: true },
    );
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
})();
