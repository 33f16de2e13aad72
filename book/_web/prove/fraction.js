/**
 * Exact fractions for the page's prover: [numerator, denominator > 0], in lowest terms, as BigInt.
 * @typedef {[bigint, bigint]} Fraction
 */

function gcd(a, b) {
  while (b) [a, b] = [b, a % b];
  return a < 0n ? -a : a;
}

/** @returns {Fraction} */
export function fraction(n, d = 1n) {
  const g = gcd(n, d) * (d < 0n ? -1n : 1n);
  return [n / g, d / g];
}

export const ZERO = [0n, 1n];
export const ONE = [1n, 1n];

export const sum = ([a, b], [c, d]) => (b === d ? fraction(a + c, b) : fraction(a * d + c * b, b * d));
export const product = ([a, b], [c, d]) => fraction(a * c, b * d);
export const negative = ([a, b]) => [-a, b];
export const inverse = ([a, b]) => fraction(b, a);
export const isZero = ([a]) => a === 0n;
export const toNumber = ([a, b]) => Number(a) / Number(b);
export const toText = ([a, b]) => (b === 1n ? `${a}` : `${a}/${b}`);

/** "3", "1/2" or "0.25"; digits with at most one point. */
export function fromText(text) {
  const [top, bottom = "1"] = text.split("/");
  const [whole, part = ""] = top.split(".");
  return fraction(BigInt(whole + part), 10n ** BigInt(part.length) * BigInt(bottom));
}

/** The fraction nearest to x with a denominator of at most `most`, by continued fractions. */
export function nearest(x, most = 10_000) {
  if (x < 0) return negative(nearest(-x, most));
  let [p, q, before, below, rest] = [1n, 0n, 0n, 1n, x];
  for (let i = 0; i < 40; i++) {
    const whole = BigInt(Math.floor(rest));
    const [next, under] = [whole * p + before, whole * q + below];
    if (under > BigInt(most)) break;
    [before, below, p, q] = [p, q, next, under];
    const left = rest - Math.floor(rest);
    if (left < 1e-11) break;
    rest = 1 / left;
  }
  return fraction(p, q || 1n);
}

/**
 * The solution of linear equations in which every unknown is determined, or null: by elimination.
 * @param {Map<number, Fraction>[]} rows the coefficients of each equation, by unknown; the right side has key -1
 * @param {number} unknowns how many there are
 * @returns {Fraction[] | null} free unknowns are 0
 */
export function solve(rows, unknowns) {
  const pivots = [];
  for (const given of rows) {
    const row = new Map(given);
    for (const [pivot, other] of pivots) if (row.has(pivot)) subtract(row, row.get(pivot), other);
    const pivot = [...row.keys()].find((name) => name >= 0);
    if (pivot === undefined) {
      if (row.has(-1)) return null;
      continue;
    }
    const factor = inverse(row.get(pivot));
    pivots.push([pivot, new Map([...row].map(([name, value]) => [name, product(factor, value)]))]);
  }
  const solution = Array(unknowns).fill(ZERO);
  for (const [pivot, row] of pivots.reverse()) {
    let value = row.get(-1) || ZERO;
    for (const [name, k] of row) {
      if (name >= 0 && name !== pivot) value = sum(value, negative(product(k, solution[name])));
    }
    solution[pivot] = value;
  }
  return solution;
}

function subtract(row, factor, other) {
  for (const [name, value] of other) {
    const left = sum(row.get(name) || ZERO, negative(product(factor, value)));
    if (isZero(left)) row.delete(name);
    else row.set(name, left);
  }
}
