/** Chapter 17: two models with one loss, and how often n tries of each fail. */
import { fixed } from "./laws.js";

const TRIES = Array.from({ length: 23 }, (_, i) => Math.round(10 ** (i / 4)));

/** Chances, shares and failures of both models. @param {{loss: number, missed: number}} setting loss in nats */
export function pair({ loss, missed }, { target }) {
  const even = Math.exp(-loss);
  const rare = Math.exp(-loss / missed);
  const needed = (share, p) => (share <= target ? 0 : Math.ceil(Math.log(target / share) / Math.log1p(-p)));
  return {
    first: { even, uneven: 1 - missed + missed * rare },
    needed: { even: needed(1, even), uneven: needed(missed, rare) },
    even: (n) => (1 - even) ** n,
    uneven: (n) => missed * Math.exp(n * Math.log1p(-rare)),
  };
}

const counted = (n) => n.toLocaleString("en-US");

/** @type {import("./figure.js").Figure} */
export const figure = {
  controls: () => [
    { name: "loss", label: "cross-entropy of both (nats)", values: [0.1, 0.2, 0.5, 1, 1.5, 2], start: 1 },
    { name: "missed", label: "share of problems that the uneven one misses", values: [0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8], start: 0.1 },
    { name: "tries", label: "tries", values: TRIES, start: TRIES[8], say: counted },
  ],
  show(setting, data) {
    const both = pair(setting, data);
    const { needed, first } = both;
    const { tries } = setting;
    const { task, truth } = data.colors;
    const y = (share) => Math.log10(Math.max(share, 1e-3));
    const curve = (name) => TRIES.filter((n) => both[name](n) >= 1e-3).map((n) => [Math.log10(n), y(both[name](n))]);
    return {
      values: { "te-even": needed.even, "te-uneven": needed.uneven },
      line: `At the first try the even model is right with probability ${fixed(first.even, 3)}, the uneven one with ` +
        `${fixed(first.uneven, 3)}. After ${counted(tries)} tries they fail ${fixed(both.even(tries), 3)} and ${fixed(both.uneven(tries), 3)} of the problems.`,
      claims: {
        "te-same-loss": [first.uneven > first.even && needed.uneven > 1000 * needed.even,
          `to fail at no more than one problem in a hundred they need ${counted(needed.even)} and ${counted(needed.uneven)} tries`],
      },
      chart: {
        alt: `Failures after ${counted(tries)} tries: even ${fixed(both.even(tries), 3)}, uneven ${fixed(both.uneven(tries), 3)}`,
        x: { label: "tries", domain: [0, 5.5], ticks: [[0, "1"], [1, "10"], [2, "100"], [3, "1,000"], [4, "10,000"], [5, "100,000"]] },
        y: { label: "share of failures", domain: [-3, 0], ticks: [[-3, "0.001"], [-2, "0.01"], [-1, "0.1"], [0, "1"]] },
        marks: [
          { kind: "line", points: [[0, Math.log10(data.target)], [5.5, Math.log10(data.target)]], color: "currentColor", dash: "2 3" },
          { kind: "rule", at: Math.log10(tries) },
          { kind: "line", points: curve("even"), color: task },
          { kind: "line", points: curve("uneven"), color: truth, dash: "6 4" },
          { kind: "dot", at: [Math.log10(tries), y(both.even(tries))], color: task },
          { kind: "dot", at: [Math.log10(tries), y(both.uneven(tries))], color: truth },
        ],
        keys: [[task, "even model", ""], [truth, "uneven model", "6 4"], ["currentColor", "one in a hundred", "2 3"]],
      },
    };
  },
};
