/* The statement under the pointer, or in focus, shows what it rests on and what rests on it. */
(() => {
  "use strict";
  const map = document.querySelector(".rb-map");
  const edges = [...map.querySelectorAll(".rb-edge")];

  function mark(label) {
    const near = new Set([label]);
    for (const edge of edges) {
      const ends = edge.dataset.ends.split(" ");
      const on = ends.includes(label);
      edge.classList.toggle("rb-on", on);
      if (on) ends.forEach((end) => near.add(end));
    }
    map.classList.toggle("rb-marked", Boolean(label));
    map.querySelectorAll(".rb-node").forEach((node) => node.classList.toggle("rb-on", near.has(node.dataset.label)));
  }

  for (const [come, go] of [["pointerover", "pointerout"], ["focusin", "focusout"]]) {
    map.addEventListener(come, ({ target }) => mark(target.closest(".rb-node")?.dataset.label ?? ""));
    map.addEventListener(go, () => mark(""));
  }
})();
