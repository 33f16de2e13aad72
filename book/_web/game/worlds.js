/** Two ways to build a distribution: weights of all outcomes of fair bits, or functions of two fair bits. */

import { latexName } from "../prove/expr.js";
import { fraction, toText } from "../prove/fraction.js";
import { formula, make } from "../prove/shown.js";

const MOST = 8; // the largest weight

/** Outcomes that agree are one, those without weight none. */
function distribution(names, rows) {
  const found = new Map();
  for (const [outcome, weight] of rows) {
    if (weight) found.set(outcome.join(), [outcome, (found.get(outcome.join())?.[1] || 0) + weight]);
  }
  const total = [...found.values()].reduce((sum, [, weight]) => sum + weight, 0);
  return {
    names,
    outcomes: [...found.values()].map(([outcome]) => outcome),
    p: [...found.values()].map(([, weight]) => toText(fraction(BigInt(weight), BigInt(total)))),
  };
}

/** A table with a slider for each outcome. */
class Table {
  constructor(id, names, changed) {
    this.names = names;
    this.rows = Array.from({ length: 2 ** names.length }, (_, i) => names.map((_, j) => (i >> (names.length - 1 - j)) & 1));
    this.sliders = this.rows.map((row, i) =>
      make("input", {
        type: "range", min: 0, max: MOST, step: 1, value: 1, id: `${id}-w${i}`,
        "aria-label": `weight of ${names.map((name, j) => `${name} = ${row[j]}`).join(", ")}`,
      }),
    );
    this.told = this.rows.map(() => make("output", {}));
    const head = [...names.map((name) => formula(latexName(name))), "weight", "chance"];
    const body = this.rows.map((row, i) => {
      this.sliders[i].addEventListener("input", () => this.update(changed));
      const cells = [...row.map(String), this.sliders[i], this.told[i]];
      return make("tr", {}, ...cells.map((cell) => make("td", {}, cell)));
    });
    const table = make(
      "table", { className: "table rb-weights" },
      make("thead", {}, make("tr", {}, ...head.map((cell) => make("th", { scope: "col" }, cell)))), make("tbody", {}, ...body),
    );
    this.element = make("div", { className: "rb-try-scroll" }, table);
    this.update(() => {});
  }

  get chosen() {
    return this.sliders.map((one) => Number(one.value));
  }

  get example() {
    return distribution(this.names, this.rows.map((row, i) => [row, this.chosen[i]]));
  }

  update(changed) {
    const total = this.chosen.reduce((a, b) => a + b, 0);
    this.chosen.forEach((weight, i) => {
      this.told[i].textContent = total ? toText(fraction(BigInt(weight), BigInt(total))) : "0";
    });
    changed();
  }
}

/** What a variable may be of others that come before it. */
const MADE = {
  zero: () => 0,
  copy: (x) => x,
  sum: (x, y) => x + y,
  pair: (x, y) => 2 * x + y,
  one: (x) => Number(x === 1),
  two: (x) => Number(x === 2),
};

/** Fair bits, and a menu for each variable that is made of them. */
class Recipe {
  constructor(id, { bits, made }, changed) {
    [this.bits, this.made] = [bits, made];
    this.menus = made.map(({ name, choices }) => {
      const menu = make("select", { id: `${id}-${name.replace("'", "2")}`, "aria-label": `what ${name} is` }, ...choices.map(([text], i) => make("option", { value: i }, plain(text))));
      menu.addEventListener("change", changed);
      return menu;
    });
    const rows = made.map(({ name }, i) =>
      make("div", { className: "rb-made" }, make("label", { htmlFor: this.menus[i].id }, formula(latexName(name)), " is"), this.menus[i]),
    );
    const fair = make("p", {}, ...bits.flatMap((name, i) => [i ? " and " : "", formula(latexName(name))]), " are independent fair bits.");
    this.element = make("div", { className: "rb-recipe" }, fair, ...rows);
  }

  get chosen() {
    return this.menus.map((menu) => Number(menu.value));
  }

  get example() {
    const rows = Array.from({ length: 2 ** this.bits.length }, (_, i) => {
      const values = new Map(this.bits.map((name, j) => [name, (i >> j) & 1]));
      this.made.forEach(({ name, choices }, j) => {
        const [, how, ...of] = choices[this.chosen[j]];
        values.set(name, MADE[how](...of.map((one) => values.get(one))));
      });
      return [[...values.values()], 1];
    });
    return distribution([...this.bits, ...this.made.map(({ name }) => name)], rows);
  }
}

/** A menu shows no formulas: LaTeX as plain letters. */
const plain = (text) => text.replace(/\\mathrm\{(\w+)\}/g, "$1").replace(/[${}]/g, "");

/** The builder of a level: {element, chosen, example}. */
export const builder = (id, build, changed) => (build.table ? new Table(id, build.table, changed) : new Recipe(id, build, changed));
