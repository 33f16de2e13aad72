/** Chapter 17: two models with the same cross-entropy, one even, one hopeless at a share of the problems; many tries. */
import { fixed } from "./laws.js";

/** The chances of both models: the same everywhere, and one but for the hard problems. */
export const chances = ({ loss, hard }) => ({ even: Math.exp(-loss), uneven: Math.exp(-loss / hard) });

/** The share of problems that n tries fail, which is at most `share`. @param {number} share @param {number} chance */
export const failed = (share, chance, n) => share * Math.exp(n * Math.log1p(-chance));

/** The least number of tries that fails at no more than `allowed` of the problems. */
export const needed = (share, chance, allowed) => {
  const least = Math.max(0, Math.floor(Math.log(allowed / share) / Math.log1p(-chance)) - 2);
  let n = least;
  while (failed(share, chance, n) > allowed) n++;
  return n;
};

const grouped = (n) => (n < 1e7 ? n.toLocaleString("en-US") : `about 10^${fixed(Math.log10(n), 0)}`);
const percent = (p) => `${fixed(100 * p, p < 0.01 ? 2 : 0)} %`;

/** @type {import("./figure.js").Figure} */
export const figure = {
  controls: ({ loss, hard }) => [
    { name: "hard", label: "share of problems that are hard for the uneven model", values: [0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1],
      start: hard, say: percent },
    { name: "loss", label: "cross-entropy of both models (nats)", values: [0.1, 0.25, 0.5, 0.75, 1, 1.25, 1.5], start: loss },
    { name: "tries", label: "tries", values: [1, 2, 4, 8, 16, 32, 64, 256, 1024, 4096, 16384], start: 64 },
  ],
  show({ hard, loss, tries }, data) {
    const chance = chances({ loss, hard });
    const { allowed } = data;
    const counts = { even: needed(1, chance.even, allowed), uneven: needed(hard, chance.uneven, allowed) };
    const first = { even: chance.even, uneven: 1 - hard + hard * chance.uneven };
    const now = { even: failed(1, chance.even, tries), uneven: failed(hard, chance.uneven, tries) };
    const { task, truth, grey } = data.colors;
    const along = Array.from({ length: 57 }, (_, i) => i / 10);
    const y = (share) => Math.max(Math.log10(share), -4);
    const path = (share, one) => along.map((power) => [power, y(failed(share, one, 10 ** power))]);
    const ratio = counts.uneven / counts.even;
    return {
      values: { "te-even": counts.even, "te-uneven": counts.uneven },
      line: `After ${tries} tries the even model fails at ${percent(now.even)}, the uneven one at ${percent(now.uneven)} of the ` +
        `problems. To fail at no more than ${percent(allowed)} they need ${grouped(counts.even)} and ${grouped(counts.uneven)} tries.`,
      claims: {
        "te-same-loss": [ratio > 1000 && first.uneven > first.even,
          `right at the first try: ${percent(first.uneven)} and ${percent(first.even)}; tries needed: ${grouped(counts.uneven)} and ` +
          `${grouped(counts.even)}, ${grouped(Math.round(ratio))} times as many`],
      },
      chart: {
        alt: `Failures after ${tries} tries: even model ${percent(now.even)}, uneven model ${percent(now.uneven)}`,
        x: { label: "tries", domain: [0, 5.6], ticks: [[0, "1"], [1, "10"], [2, "100"], [3, "1,000"], [4, "10,000"], [5, "100,000"]] },
        y: { label: "share of problems failed", domain: [-4, 0.1], ticks: [[0, "1"], [-1, "0.1"], [-2, "0.01"], [-3, "0.001"]] },
        marks: [
          { kind: "rule", at: Math.log10(tries) },
          { kind: "line", points: [[0, y(allowed)], [5.6, y(allowed)]], color: grey, dash: "2 3" },
          { kind: "line", points: path(1, chance.even), color: task },
          { kind: "line", points: path(hard, chance.uneven), color: truth, dash: "6 4" },
          { kind: "dot", at: [Math.log10(tries), y(now.even)], color: task },
          { kind: "dot", at: [Math.log10(tries), y(now.uneven)], color: truth, shape: "cross" },
        ],
        keys: [[task, "even model", ""], [truth, "uneven model", "6 4"], [grey, "one problem in a hundred", "2 3"]],
      },
    };
  },
};
