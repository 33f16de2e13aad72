/** Chapter 12: how well each candidate orders the gains, from the recorded rank correlations. */
import { fixed } from "./laws.js";

/** @type {import("./figure.js").Figure} */
export const figure = {
  controls: ({ names }) => [
    { name: "candidate", label: "candidate", values: Object.keys(names), start: "chain", say: (one) => names[one], choose: true },
    { name: "rival", label: "compared with", values: Object.keys(names), start: "gain", say: (one) => names[one], choose: true },
  ],
  show({ candidate, rival }, data) {
    const { names, ranks } = data;
    const both = [candidate, rival];
    const { task, curated } = data.colors;
    const [mine, other] = both.map((one) => ranks[one]);
    const bars = both.flatMap((one, i) => [[i * 2.4, ranks[one].all, task], [i * 2.4 + 0.8, ranks[one].choice, curated]]);
    return {
      values: Object.fromEntries(Object.keys(names).flatMap((one) => [[`pred-${one}`, ranks[one].all], [`pred-${one}-choice`, ranks[one].choice]])),
      line: both.map((one) => `${names[one][0].toUpperCase()}${names[one].slice(1)}: ${fixed(ranks[one].all, 2)} over all pairs, ${fixed(ranks[one].choice, 2)} for given anchors`).join(". ") + ".",
      claims: {
        "pred-chain": [mine.all > 0.8 && mine.all > other.all,
          `${names[candidate]} in its place: ${fixed(mine.all, 2)}, and ${fixed(other.all, 2)} for ${names[rival]}`],
        "pred-little": [Math.abs(other.choice) < 0.5, `${names[rival]} in their place: ${fixed(other.choice, 2)} for given anchors`],
      },
      chart: {
        alt: both.map((one) => `${names[one]} ${fixed(ranks[one].all, 2)}, for given anchors ${fixed(ranks[one].choice, 2)}`).join("; "),
        x: { label: "", domain: [-0.6, 3.8], ticks: both.map((one, i) => [i * 2.4 + 0.4, names[one]]) },
        y: { label: "rank correlation with the gain", domain: [-1, 1] },
        marks: [
          ...bars.map(([x, y, color]) => ({ kind: "area", points: [[x - 0.35, Math.min(0, y), Math.max(0, y)], [x + 0.35, Math.min(0, y), Math.max(0, y)]], color })),
          { kind: "line", points: [[-0.6, 0], [3.8, 0]], color: "currentColor" },
        ],
        keys: [[task, "over all pairs"], [curated, "for given anchors"]],
      },
    };
  },
};
