/** One level: its exercise is on the page already, and gets a place for the answer, hints and the verdict. */

import { QuestionError } from "../prove/prove.js";
import { make, typeset } from "../prove/shown.js";
import { ExpressionError } from "../prove/expr.js";
import { place } from "./answers.js";
import { judge } from "./judge.js";
import { told } from "./said.js";

/** One hint after the other. */
function hints(box) {
  const folded = [...box.querySelectorAll(".rb-hint")];
  const shown = make("ol", { className: "rb-hints", "aria-label": "hints" });
  const button = make("button", { type: "button", className: "rb-button" });
  const name = () => (button.textContent = `Hint ${shown.children.length + 1} of ${folded.length}`);
  const status = make("div", { role: "status" }, shown);
  folded.forEach((one) => (one.hidden = true));
  name();
  button.addEventListener("click", () => {
    const text = folded[shown.children.length].querySelector(".rb-hint-text");
    shown.append(make("li", {}, ...text.childNodes));
    if (shown.children.length === folded.length) button.hidden = true;
    else name();
  });
  return { button, element: status };
}

/**
 * @param {HTMLElement} box the exercise
 * @param {object} level its data
 * @param {{ask: Function, solved: () => void, next: () => void, last: boolean}} game
 */
export function furnish(box, level, { ask, solved, next, last }) {
  const mine = place(level);
  const check = make("button", { type: "submit", className: "rb-button rb-main" }, "Check");
  const hint = hints(box);
  const said = make("div", { className: "rb-told", role: "status" });
  const form = make(
    "form", { noValidate: true, className: "rb-answer" }, mine.element,
    make("div", { className: "rb-bar" }, check, hint.button), hint.element, said,
  );
  const replies = [...box.querySelectorAll(".rb-reply")];
  const onward = make("button", { type: "button", className: "rb-button rb-main" }, "Next level");
  onward.addEventListener("click", next);
  let busy = false;

  async function answer() {
    if (busy) return;
    busy = true;
    mine.fail(null);
    said.setAttribute("aria-busy", "true");
    const wait = setTimeout(() => said.replaceChildren(make("p", {}, "Looking for a proof …")), 300);
    try {
      const verdict = await judge(level, mine.answer(), ask);
      clearTimeout(wait);
      said.replaceChildren(...told(verdict, replies, level.variables));
      if (verdict.solved) {
        solved();
        said.append(make("div", { className: "rb-bar" }, ...(last ? [make("p", {}, "This was the last level.")] : [onward])));
      }
      await typeset(said);
    } catch (error) {
      clearTimeout(wait);
      said.replaceChildren();
      if (error instanceof ExpressionError || error instanceof QuestionError) mine.fail(error);
      else said.replaceChildren(make("p", {}, `This did not work: ${error.message}.`));
    } finally {
      busy = false;
      said.removeAttribute("aria-busy");
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    answer();
  });
  box.querySelector(".rb-hint").before(form);
  typeset(form);
  return { focus: mine.focus };
}
