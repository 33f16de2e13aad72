/** The two sides of a statement on a distribution. */

import { fromText, toNumber } from "./fraction.js";

export const isConstant = (set) => set.startsWith("log");

/** Both sides of each relation on a distribution, in bits, up to rounding. */
export function sidesOf(claim, { names, outcomes, p }) {
  const chances = p.map((text) => toNumber(fromText(text)));
  const entropy = (set) => {
    if (set.endsWith("|")) return Math.log2(new Set(outcomes.map((row) => row[names.indexOf(set.slice(4, -1))])).size);
    if (isConstant(set)) return Math.log2(Number(set.slice(4)));
    const [places, mass] = [set.split(",").map((name) => names.indexOf(name)), new Map()];
    outcomes.forEach((row, i) => {
      const cell = places.map((place) => row[place]).join();
      mass.set(cell, (mass.get(cell) || 0) + chances[i]);
    });
    return [...mass.values()].reduce((h, x) => h - x * Math.log2(x), 0);
  };
  const value = (form) => [...form].reduce((total, [set, k]) => total + toNumber(k) * entropy(set), 0);
  return claim.constraints.map(({ larger, smaller, sign }) => {
    const [left, right] = (sign === "<=" ? [smaller, larger] : [larger, smaller]).map(value);
    const gap = sign === "<=" ? right - left : sign === ">=" ? left - right : -Math.abs(left - right);
    return { left, right, sign, holds: gap > -1e-9 };
  });
}
