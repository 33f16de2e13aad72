/** Chapter 11: how often a defect planted into real texts is found, by its strength, from the stored record. */
import { fixed } from "./laws.js";

const LEVELS = ["first", "second", "third"];
const OFTEN = ["near-duplicates", "contamination, record", "contamination, passage", "another language", "truncation",
  "too long", "too short", "boilerplate", "refusals", "small generator"]; // those of the sentence

/** @type {import("./figure.js").Figure} */
export const figure = {
  controls: ({ defects }) => [
    { name: "defect", label: "planted defect", values: Object.keys(defects), start: OFTEN[0], choose: true },
    { name: "level", label: "strength", values: [0, 1, 2], start: 2, say: (i) => LEVELS[i] },
  ],
  show({ defect, level }, { defects, colors }) {
    const rows = defects[defect];
    const [strength, found, low, high] = rows[level];
    const percent = (p) => `${fixed(100 * p, 0)} %`;
    const { task, truth, grey } = colors;
    const worst = OFTEN.reduce((one, other) => (defects[other][level][1] < defects[one][level][1] ? other : one));
    const others = Object.entries(defects).filter(([name]) => name !== defect);
    return {
      values: Object.fromEntries([0, 1, 2].map((i) => [`audit-real-near-duplicates-${i}`, defects["near-duplicates"][i][1]])),
      line: `${defect[0].toUpperCase()}${defect.slice(1)}, ${LEVELS[level]} strength (${fixed(strength, 2)}): found in ${percent(found)} ` +
        `of the data sets (95 % interval ${percent(low)} to ${percent(high)}).`,
      claims: {
        "audit-real-found": [low > 0.8 && defects[worst][level][1] > 0.8,
          `at the ${LEVELS[level]} strength your defect is found in ${percent(found)}, and of those in the sentence the least, ` +
          `${worst}, in ${percent(defects[worst][level][1])}`],
      },
      chart: {
        alt: rows.map((row, i) => `${LEVELS[i]} strength ${percent(row[1])}`).join(", "),
        x: { label: "strength", domain: [-0.3, 2.3], ticks: LEVELS.map((name, i) => [i, name]) },
        y: { label: "share of data sets in which it is found", domain: [0, 1.02] },
        marks: [
          ...others.map(([, other]) => ({ kind: "line", points: other.map((row, i) => [i, row[1]]), color: `${grey}55` })),
          { kind: "line", points: [[-0.3, 0.8], [2.3, 0.8]], color: grey, dash: "2 3" },
          ...rows.map((row, i) => ({ kind: "line", points: [[i, row[2]], [i, row[3]]], color: task })),
          { kind: "line", points: rows.map((row, i) => [i, row[1]]), color: task },
          ...rows.map((row, i) => ({ kind: "dot", at: [i, row[1]], color: i === level ? truth : task, size: i === level ? 7 : 5 })),
        ],
        keys: [[task, "the chosen defect, with intervals", ""], [`${grey}55`, "the others", ""], [grey, "eight of ten", "2 3"]],
      },
    };
  },
};
