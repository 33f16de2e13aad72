/** Finite laws and their information, in bits; a law is a list of probabilities, a channel a list of rows. */

/** -p log2 p. @param {number} p */
const surprise = (p) => (p > 0 ? -p * Math.log2(p) : 0);

/** @param {number[]} terms */
export const sum = (terms) => terms.reduce((total, one) => total + one, 0);

/** @param {number[]} law */
export const entropy = (law) => sum(law.map(surprise));

/** Half the L1 distance. @param {number[]} p @param {number[]} q */
export const tv = (p, q) => sum(p.map((one, i) => Math.abs(one - q[i]))) / 2;

/** The law after a channel. @param {number[]} law @param {number[][]} rows */
export const after = (law, rows) => rows[0].map((_, j) => sum(law.map((p, i) => p * rows[i][j])));

/** Mutual information of what goes into a channel and what comes out. @param {number[]} law @param {number[][]} rows */
export const information = (law, rows) =>
  entropy(after(law, rows)) - sum(law.map((p, i) => (p ? p * entropy(rows[i]) : 0)));

/** One channel after another. @param {number[][]} first @param {number[][]} second */
export const compose = (first, second) => first.map((row) => after(row, second));

/** The law moved by some sectors. @param {number[]} law @param {number} by */
export const roll = (law, by) => law.map((_, i) => law[(((i - by) % law.length) + law.length) % law.length]);

/** Weights made a law. @param {number[]} weights */
export const normal = (weights) => {
  const total = sum(weights);
  return weights.map((one) => one / total);
};

/** Weights exp(rate * score) for each row of a table, as laws. @param {number[][]} scores @param {number} rate */
export const gibbs = (scores, rate) =>
  scores.map((row) => {
    const most = Math.max(...row);
    const infinite = rate === Infinity;
    return normal(row.map((one) => (infinite ? Number(one === most) : Math.exp(rate * (one - most)))));
  });

/** The rows after curation turned their outcomes. @param {number[][]} rows @param {number} noise */
export const turned = (rows, noise) =>
  rows.map((row) => {
    const [left, right] = [roll(row, -1), roll(row, 1)];
    return row.map((p, i) => (1 - noise) * p + (noise / 2) * (left[i] + right[i]));
  });

/** A number as the text writes it. @param {number} value @param {number} digits */
export const fixed = (value, digits) => {
  const text = value.toFixed(digits);
  return (Number(text) === 0 ? text.replace("-", "") : text).replace("-", "\u2212");
};

/** Two values and which of them is larger, in words. */
export const compared = (a, b, digits = 3, unit = "") => {
  const sign = Math.abs(a - b) < 1e-9 ? "=" : a > b ? ">" : "<";
  return `${fixed(a, digits)} ${sign} ${fixed(b, digits)}${unit && ` ${unit}`}`;
};
