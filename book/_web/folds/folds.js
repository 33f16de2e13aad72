// A link into a folded part opens it, and a printed page has no folds.
(() => {
  "use strict";
  function unfold(target) {
    for (let node = target; node; node = node.parentElement) if (node.tagName === "DETAILS") node.open = true;
  }

  function follow() {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    const inner = target.querySelector(":scope > details.rb-further");
    unfold(inner ?? target);
    target.scrollIntoView();
  }

  addEventListener("hashchange", follow);
  addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((one) => (one.open = true)));
  follow();
})();
