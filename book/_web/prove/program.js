/**
 * Linear programs over joint entropies: is a form a sum of basic inequalities and assumptions, and if not, which
 * polymatroid says so?  Sets of variables are bits of a number; constants such as log 2 come after all sets.
 *
 * @typedef {{terms: Map<number, import("./fraction.js").Fraction>, free: boolean, cost: number,
 *            constraint?: object, quantity?: [number, number, number]}} Column
 */

import { ONE, ZERO, isZero, nearest, negative, product, solve, sum, toNumber } from "./fraction.js";

/** The names, and where each joint entropy stands. */
export class Space {
  /** @param {string[]} names @param {string[]} constants */
  constructor(names, constants) {
    [this.names, this.constants] = [names, constants];
    this.size = (1 << names.length) + constants.length;
  }

  /** The place of a set, given as sorted names with commas, or of a constant. */
  place(set) {
    const constant = this.constants.indexOf(set);
    if (constant >= 0) return (1 << this.names.length) + constant;
    return set.split(",").reduce((mask, name) => mask | (1 << this.names.indexOf(name)), 0);
  }

  /** A form by places. */
  placed(form) {
    return new Map([...form].map(([set, k]) => [this.place(set), k]));
  }

  group(mask) {
    return this.names.filter((_, i) => (mask >> i) & 1).join(",");
  }

  /** H(u|c), or I(u;v|c) where neither holds the other, as text. */
  quantity([u, v, c]) {
    const given = c ? `|${this.group(c)}` : "";
    if (u === v) return `H(${this.group(u & ~c)}${given})`;
    const [one, other] = [u & ~c, v & ~c].sort((a, b) => (a & -a) - (b & -b));
    return `I(${this.group(one)};${this.group(other)}${given})`;
  }
}

/** h(u) + h(v) - h(u or v) - h(c). */
export function difference([u, v, c]) {
  const terms = new Map();
  for (const [set, k] of [[u, ONE], [v, ONE], [u | v, negative(ONE)], [c, negative(ONE)]]) {
    const value = sum(terms.get(set) || ZERO, k);
    if (set && !isZero(value)) terms.set(set, value);
    else terms.delete(set);
  }
  return terms;
}

/** The elemental inequalities H(x | all others) >= 0 and I(x;y|S) >= 0, of which all others are sums (Yeung). */
export function elemental(n) {
  const [all, found] = [(1 << n) - 1, []];
  for (let x = 1; x <= all; x <<= 1) {
    found.push([all, all, all & ~x]);
    for (let y = x << 1; y <= all; y <<= 1) {
      for (let c = 0; c <= all; c++) if (!(c & (x | y))) found.push([c | x, c | y, c]);
    }
  }
  return found;
}

/** All conditional entropies and informations on these sets. */
function quantities(sets) {
  const known = new Set([0, ...sets]);
  const list = [...known].sort((a, b) => a - b);
  const found = [];
  for (const c of list) for (const u of list) if (u !== c && (u & c) === c) found.push([u, u, c]);
  for (const u of list) {
    for (const v of list) {
      const [both, c] = [u | v, u & v];
      if (u < v && c !== u && c !== v && known.has(both) && known.has(c)) found.push([u, v, c]);
    }
  }
  return found;
}

/** Costs a little above 1 and without any relation, so that one answer is the best. */
function spread(i) {
  const x = Math.sin(12.9898 * (i + 1)) * 43758.5453;
  return 1 + 0.01 * (x - Math.floor(x));
}

/** Minimize over columns >= 0 (or free): the matrix by columns, the bounds of its rows and columns. */
function minimize(highs, { columns, rows, costs, lower, upper, rowLower, rowUpper }) {
  const [starts, indices, values] = [[0], [], []];
  for (const column of columns) {
    for (const [row, value] of column) {
      indices.push(row);
      values.push(value);
    }
    starts.push(indices.length);
  }
  const matrix = { format: "csc", numCols: columns.length, numRows: rows, starts, indices, values };
  const data = {
    numCols: columns.length, numRows: rows, sense: 1, offset: 0,
    colCost: costs, colLower: lower, colUpper: upper, rowLower, rowUpper, matrix,
  };
  const model = highs.createModel(data);
  try {
    model.options.set({ output_flag: false });
    model.run();
    const done = model.getModelStatus() === highs.constants.modelStatus.optimal;
    return done ? model.getSolution().colValue : null;
  } finally {
    model.dispose();
  }
}

/** The multipliers of least weight by which columns sum to the goal; exact, or null if there are none. */
function summed(highs, columns, goal, size) {
  const numbers = columns.map(({ terms }) => [...terms].map(([row, k]) => [row - 1, toNumber(k)]));
  const target = Array.from({ length: size - 1 }, (_, row) => toNumber(goal.get(row + 1) || ZERO));
  const back = columns.flatMap(({ free }, i) => (free ? [i] : []));
  const found = minimize(highs, {
    columns: [...numbers, ...back.map((i) => numbers[i].map(([row, k]) => [row, -k]))],
    rows: size - 1,
    costs: [...columns, ...back.map((i) => columns[i])].map(({ cost }) => cost),
    lower: Array(columns.length + back.length).fill(0),
    upper: Array(columns.length + back.length).fill(highs.infinity),
    rowLower: target,
    rowUpper: target,
  });
  if (!found) return null;
  const values = columns.map((_, i) => found[i]);
  back.forEach((i, j) => (values[i] -= found[columns.length + j]));
  return exact(columns, values, goal, size);
}

/** The solver's multipliers as fractions that sum to the goal exactly: rounded, or solved for on their support. */
function exact(columns, values, goal, size) {
  const support = columns.map((_, i) => i).filter((i) => Math.abs(values[i]) > 1e-9);
  for (const most of [60, 10_000]) {
    const rounded = support.map((i) => [columns[i], nearest(values[i], most)]).filter(([, m]) => !isZero(m));
    if (sums(rounded, goal)) return rounded;
  }
  const rows = Array.from({ length: size }, () => new Map());
  support.forEach((i, at) => {
    for (const [row, k] of columns[i].terms) rows[row].set(at, k);
  });
  for (const [row, k] of goal) rows[row].set(-1, k);
  const solved = solve(rows, support.length);
  if (!solved) return null;
  const result = support.map((i, at) => [columns[i], solved[at]]).filter(([, m]) => !isZero(m));
  return result.every(([{ free }, m]) => free || m[0] > 0n) && sums(result, goal) ? result : null;
}

function sums(steps, goal) {
  const left = new Map(goal);
  for (const [{ terms }, m] of steps) {
    for (const [row, k] of terms) {
      const value = sum(left.get(row) || ZERO, negative(product(m, k)));
      if (isZero(value)) left.delete(row);
      else left.set(row, value);
    }
  }
  return left.size === 0;
}

const MOST = 6; // variables, up to which all quantities are columns at once

/**
 * A proof that the goal is at least 0: columns with positive multipliers (any, for equations) that sum to it.
 * @param {Space} space
 * @param {{terms: Map, relation: string}[]} premises
 * @returns {[Column, Fraction][] | null}
 */
export function proof(highs, space, premises, goal) {
  const n = space.names.length;
  const assumed = premises.map((constraint, i) => (
    { terms: constraint.terms, free: constraint.relation === "=", cost: 0.6 * spread(i), constraint }
  ));
  const constants = space.constants.map((name, i) => (
    { terms: new Map([[(1 << n) + i, ONE]]), free: false, cost: 1, text: `${name} >= 0` }
  ));
  const columnsOf = (list) => [
    ...list.map((q, i) => ({ terms: difference(q), free: false, cost: spread(i), quantity: q })),
    ...assumed, ...constants,
  ];
  const every = Array.from({ length: (1 << n) - 1 }, (_, i) => i + 1);
  if (n <= MOST) return summed(highs, columnsOf(quantities(every)), goal, space.size);
  const first = summed(highs, columnsOf(elemental(n)), goal, space.size);
  if (!first) return null;
  const sets = new Set([goal, ...first.map(([column]) => column.terms)].flatMap((terms) => [...terms.keys()]));
  const inside = quantities([...sets].filter((set) => set < 1 << n));
  const shorter = summed(highs, columnsOf(inside), goal, space.size);
  return shorter && shorter.length < first.length ? shorter : first;
}

/**
 * A polymatroid that obeys the premises and breaks the goal, as exact values by place; or null.
 * It shows that no sum of Shannon's inequalities and the premises is the goal.
 */
export function ray(highs, space, premises, goal) {
  const n = space.names.length;
  const rows = [
    ...elemental(n).map((q) => ({ terms: difference(q), relation: ">=" })),
    ...premises,
  ];
  const columns = Array.from({ length: space.size - 1 }, () => []);
  rows.forEach(({ terms }, row) => {
    for (const [place, k] of terms) columns[place - 1].push([row, toNumber(k)]);
  });
  const found = minimize(highs, {
    columns, rows: rows.length,
    costs: columns.map((_, i) => toNumber(goal.get(i + 1) || ZERO)),
    lower: Array(columns.length).fill(0),
    upper: Array(columns.length).fill(1),
    rowLower: Array(rows.length).fill(0),
    rowUpper: rows.map(({ relation }) => (relation === "=" ? 0 : highs.infinity)),
  });
  if (!found) return null;
  for (const most of [60, 10_000]) {
    const values = [ZERO, ...Array.from(found, (x) => nearest(x, most))];
    const value = (terms) => [...terms].reduce((total, [place, k]) => sum(total, product(k, values[place])), ZERO);
    const obeys = rows.every(({ terms, relation }) => {
      const [top] = value(terms);
      return relation === "=" ? top === 0n : top >= 0n;
    });
    if (obeys && value(goal)[0] < 0n) return values;
  }
  return null;
}

