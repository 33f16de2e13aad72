/** True or false: the form of the questions, the score, and the proof or the counterexample after each answer. */

import { latex, parse } from "../prove/expr.js";
import { formula, make, typeset, wrapping } from "../prove/shown.js";
import { question } from "./questions.js";
import { evidence } from "./said.js";

const SEEDS = 100_000;

/** The seed that the address gives, or one by chance. */
function seedGiven() {
  const text = new URLSearchParams(location.search).get("seed") || "";
  return /^\d{1,9}$/.test(text) ? Number(text) : 1 + Math.floor(Math.random() * SEEDS);
}

export function startQuiz(root, store, ask) {
  let [seed, number, right, streak, current, coming] = [seedGiven(), 0, 0, 0, null, null];
  const seedField = make("input", { id: "rb-seed", type: "text", inputMode: "numeric", className: "rb-game-input rb-number", value: String(seed) });
  const begin = make("button", { type: "submit", className: "rb-button rb-main" }, "Begin");
  const form = make("form", { className: "rb-bar", noValidate: true }, make("label", { htmlFor: "rb-seed" }, "Seed"), seedField, begin);
  const score = make("p", { className: "rb-score", role: "status" });
  const asked = make("div", { className: "rb-asked" });
  const [yes, no, next] = ["True", "False", "Next question"].map((text) => make("button", { type: "button", className: "rb-button rb-main" }, text));
  const choice = make("div", { className: "rb-bar", hidden: true, role: "group", "aria-label": "your answer" }, yes, no);
  const said = make("div", { className: "rb-told", role: "status" });
  root.replaceChildren(form, score, asked, choice, said);

  const prepare = () => question(seed, number + 1, ask);

  function tell() {
    const best = store.get("streak", 0);
    const row = best > 1 ? ` The longest row so far: ${best}.` : "";
    score.textContent = `Seed ${seed}: ${right} of ${number} right, ${streak} in a row.${row}`;
  }

  async function pose() {
    const mine = seed;
    said.replaceChildren();
    asked.replaceChildren(make("p", {}, "Drawing a question …"));
    try {
      const drawn = await (coming || prepare());
      if (mine !== seed) return;
      current = drawn;
    } catch (error) {
      asked.replaceChildren(make("p", {}, `This did not work: ${error.message}.`));
      return;
    }
    const given = current.given.length ? [make("p", {}, "Given ", formula(latex(current.given[0])), ", is this always true?")] : [make("p", {}, "Is this always true?")];
    asked.replaceChildren(make("p", { className: "rb-small" }, `Question ${number + 1}`), ...given, make("p", { className: "rb-question" }, wrapping(parse(current.statement).latex)));
    choice.hidden = false;
    yes.focus({ preventScroll: true });
    typeset(asked);
  }

  function answer(guess) {
    const { truth, found } = current;
    number++;
    right += guess === truth ? 1 : 0;
    streak = guess === truth ? streak + 1 : 0;
    if (streak > store.get("streak", 0)) store.set("streak", streak);
    choice.hidden = true;
    const good = guess === truth;
    said.replaceChildren(
      make("p", { className: `rb-verdict ${good ? "rb-check-good" : "rb-check-bad"}` }, good ? "✓ Right. " : "✗ No. ", truth ? "It is true." : "It is false."),
      ...evidence(found, ["A", "B", "C", "D"]), make("div", { className: "rb-bar" }, next),
    );
    tell();
    next.focus({ preventScroll: true });
    typeset(said);
    coming = prepare();
    coming.catch(() => {});
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = seedField.value.trim();
    if (!/^\d{1,9}$/.test(text)) {
      score.textContent = "A seed is a whole number of at most nine digits.";
      return;
    }
    [seed, number, right, streak, coming] = [Number(text), 0, 0, 0, null];
    const query = new URLSearchParams(location.search);
    query.set("seed", text);
    try {
      history.replaceState(null, "", `?${query}${location.hash}`);
    } catch {
      /* a page from the disk may keep its address */
    }
    begin.textContent = "Begin anew";
    tell();
    pose();
  });
  yes.addEventListener("click", () => answer(true));
  no.addEventListener("click", () => answer(false));
  next.addEventListener("click", pose);
}
