/** The place of an answer, one for each kind of level: {element, answer(), changed, fail(error), focus()}. */

import { ExpressionError, latex, parse } from "../prove/expr.js";
import { bits, formula, make, typeset, wrapping } from "../prove/shown.js";
import { sidesOf } from "../prove/sides.js";
import { whole } from "./judge.js";
import { StatementField } from "./keys.js";
import { builder } from "./worlds.js";

const SIGNS = ["<=", ">=", "="];

/** A statement, or what is missing of one, and how it is understood. */
function statement(level, id) {
  const { variables, before, quantities } = level;
  const own = quantities ? [quantities, ["+", "-", "back"]] : [
    [...variables, "H", "I"], [...(before ? [] : SIGNS), "+", "-", ...(variables.length > 1 ? [";", "|"] : []), "back"],
  ];
  const field = new StatementField(id, before ? "What is missing" : "Your statement", own, (key) => formula(latex(key)));
  const read = make("div", { className: "rb-read" });
  let timer = null;
  field.input.addEventListener("input", () => {
    field.fail(null);
    clearTimeout(timer);
    timer = setTimeout(show, 200);
  });
  function show() {
    try {
      const { latex: understood } = parse(whole(level, field.text));
      read.replaceChildren(make("span", { className: "rb-small" }, "Understood: "), wrapping(understood));
      typeset(read);
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error;
      read.replaceChildren();
    }
  }
  const element = make("div", {}, field.element, read);
  return { element, answer: () => field.text, fail: (error) => field.fail(error), focus: () => field.input.focus() };
}

/** Cards to be picked. */
function cards(level, id) {
  const boxes = level.cards.map((card, i) => make("input", { type: "checkbox", id: `${id}-${i}`, value: card, "aria-label": card }));
  const rows = boxes.map((box, i) => make("label", { className: "rb-card", htmlFor: box.id }, box, formula(latex(level.cards[i]))));
  const legend = make("legend", {}, level.most > 1 ? `Pick at most ${level.most}` : "Pick one");
  const element = make("fieldset", { className: "rb-cards" }, legend, ...rows);
  const answer = () => boxes.filter((box) => box.checked).map((box) => box.value);
  return { element, answer, fail() {}, focus: () => boxes[0].focus() };
}

/** A factor. */
function constant(level, id) {
  const input = make("input", { id, type: "text", inputMode: "text", autocomplete: "off", className: "rb-game-input rb-number", value: "1" });
  const step = (by) =>
    make("button", { type: "button", className: "rb-key" }, by > 0 ? "+ ½" : "− ½");
  const [less, more] = [step(-1), step(1)];
  const value = () => {
    const [top, bottom = "1"] = input.value.split("/");
    return Number(top) / Number(bottom) || 0;
  };
  less.addEventListener("click", () => (input.value = String(Math.max(0, value() - 0.5))));
  more.addEventListener("click", () => (input.value = String(value() + 0.5)));
  const element = make(
    "div", { className: "rb-game-field" }, make("label", { htmlFor: id }, "The largest ", formula("k"), ", such as 3 or 1/3"),
    make("div", { className: "rb-keys" }, less, input, more),
  );
  return { element, answer: () => input.value, fail() {}, focus: () => input.focus() };
}

/** A distribution, and what some quantities are on it. */
function world(level, id) {
  const values = level.watch.map(() => make("output", {}));
  const rows = level.watch.map((text, i) => make("li", {}, formula(latex(text)), " = ", values[i]));
  const built = builder(id, level.build, update);
  function update() {
    const { example } = built;
    level.watch.forEach((text, i) => {
      const { names, outcomes } = example;
      values[i].textContent = outcomes.length ? bits(sidesOf(parse(`${text} >= 0`), { ...example, names })[0].left) : "?";
    });
  }
  update();
  const element = make("div", {}, built.element, make("ul", { className: "rb-watch", "aria-label": "values here" }, ...rows));
  const answer = () => ({ example: built.example, chosen: built.chosen });
  return { element, answer, fail() {}, focus: () => built.element.querySelector("input, select").focus() };
}

const PLACES = { state: statement, assume: cards, constant, break: world };

/** @returns the place of an answer to this level */
export const place = (level) => PLACES[level.kind](level, `rb-answer-${level.id}`);

