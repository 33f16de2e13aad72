/** Starts the entropy game: levels, their map, and the questions. */

import { printed } from "../prove/expr.js";
import { prove, ready } from "../prove/prove.js";
import { make } from "../prove/shown.js";
import { furnish } from "./level.js";
import { LevelMap } from "./map.js";
import { startQuiz } from "./quiz.js";
import { Store } from "./store.js";

const ask = (statement, given, seconds) => prove(statement, given, { seconds });

/** The levels that the page lists. */
function listed(root) {
  let part = "";
  const found = [];
  for (const one of root.children) {
    if (one.matches(".rb-part")) part = one.textContent.trim();
    if (one.matches(".rb-level")) found.push({ part, box: one, level: JSON.parse(one.querySelector("script").textContent) });
  }
  return found;
}

function startGame(root, store) {
  const all = listed(root);
  const solved = (at) => Boolean(store.get("solved", {})[all[at].level.id]);
  const reached = (at) => at === 0 || store.get("all", false) || solved(at) || solved(at - 1);
  const map = new LevelMap(all, (at) => open(at, true));
  const every = make("input", { type: "checkbox", id: "rb-every", checked: store.get("all", false) });
  const reset = make("button", { type: "button", className: "rb-button" }, "Start over");
  const sure = make("button", { type: "button", className: "rb-button", hidden: true }, "Forget all solved levels");
  let here = 0;

  function draw() {
    map.show(solved, reached, here);
  }

  function open(at, move = false) {
    if (!reached(at)) return;
    all[here].box.classList.remove("rb-here");
    here = at;
    const { box, level } = all[at];
    box.classList.add("rb-here");
    if (!box.dataset.ready) {
      box.dataset.ready = "yes";
      const last = at === all.length - 1;
      all[at].place = furnish(box, level, { ask, last, next: () => open(at + 1, true), solved: () => keep(level.id) });
    }
    store.set("at", level.id);
    draw();
    if (!move) return;
    history.replaceState(null, "", `${location.search}#${box.id}`);
    box.scrollIntoView({ block: "start" });
    box.querySelector(".rb-level-title").focus({ preventScroll: true });
  }

  function keep(id) {
    store.set("solved", { ...store.get("solved", {}), [id]: true });
    draw();
  }

  every.addEventListener("change", () => {
    store.set("all", every.checked);
    draw();
  });
  reset.addEventListener("click", () => {
    sure.hidden = !sure.hidden;
  });
  sure.addEventListener("click", () => {
    store.clear();
    sure.hidden = true;
    every.checked = false;
    open(0, true);
  });
  for (const { box } of all) box.querySelector(".rb-level-title").tabIndex = -1;
  const bar = make("div", { className: "rb-bar" }, make("label", { className: "rb-check-every", htmlFor: every.id }, every, "Show all levels"), reset, sure);
  map.element.append(bar);
  root.prepend(map.element);
  root.classList.add("rb-on");

  const wanted = all.findIndex(({ box }) => `#${box.id}` === location.hash);
  const left = all.findIndex(({ level }) => level.id === store.get("at", ""));
  open([wanted, left].find((at) => at >= 0 && reached(at)) ?? 0);
  addEventListener("hashchange", () => {
    const at = all.findIndex(({ box }) => `#${box.id}` === location.hash);
    if (at >= 0) open(at);
  });
}

function begin() {
  const root = document.getElementById("rb-game");
  if (!root) return;
  for (const [name, latex] of Object.entries(JSON.parse(root.querySelector(".rb-printed").textContent))) printed.set(name, latex);
  const store = new Store();
  startGame(root, store);
  const quiz = document.getElementById("rb-quiz");
  if (quiz) startQuiz(quiz, store, ask);
  const warm = () => ready(); // the solver is large: it comes when somebody begins to play
  for (const one of [root, quiz]) one?.addEventListener("focusin", warm, { once: true });
}

if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
else begin();
