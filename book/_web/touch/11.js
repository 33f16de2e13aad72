/** Chapter 11: how often the audit finds each planted defect, at three strengths, as recorded. */
import { fixed } from "./laws.js";

const LEVELS = ["first", "second", "third"];
const words = (name) => name.replaceAll("-", " ");

/** @type {import("./figure.js").Figure} */
export const figure = {
  controls: ({ names }) => [
    { name: "defect", label: "planted defect", values: names, start: "truncation", say: words, choose: true },
    { name: "level", label: "strength", values: [0, 1, 2], start: 2, say: (one) => LEVELS[one] },
  ],
  show({ defect, level }, data) {
    const { found, strengths, harm } = data.defects[defect];
    const here = found[level];
    const { task, grey, truth } = data.colors;
    return {
      values: Object.fromEntries(data.names.flatMap((name) => [
        ...data.defects[name].found.map((one, i) => [`audit-real-${name}-${i}`, one]), [`audit-harm-${name}`, data.defects[name].harm]])),
      line: `At the ${LEVELS[level]} strength (${strengths.split(", ")[level]}) the audit finds ${words(defect)} in ${fixed(100 * here, 0)} of 100 data sets. ` +
        `At the third strength it costs a student ${fixed(harm, 2)} nats.`,
      claims: {
        "audit-real-found": [here > 0.8, `${words(defect)} at the ${LEVELS[level]} strength: ${fixed(100 * here, 0)} of 100`],
        "audit-harm-most": [harm > 0.5, `${words(defect)} costs ${fixed(harm, 2)} nats at the third strength`],
      },
      chart: {
        alt: `${words(defect)}: found in ${found.map((one) => fixed(100 * one, 0)).join(", ")} of 100 data sets`,
        x: { label: "strength", domain: [-0.2, 2.2], ticks: LEVELS.map((name, i) => [i, name]) },
        y: { label: "found (share of data sets)", domain: [0, 1] },
        marks: [
          { kind: "rule", at: level },
          ...data.names.map((name) => ({ kind: "line", points: data.defects[name].found.map((one, i) => [i, one]), color: `${grey}44` })),
          { kind: "line", points: found.map((one, i) => [i, one]), color: task },
          { kind: "line", points: [[-0.2, 0.8], [2.2, 0.8]], color: truth, dash: "2 3" },
          { kind: "dot", at: [level, here], color: task, size: 6 },
        ],
        keys: [[task, words(defect), ""], [grey, "the others", ""], [truth, "eight of ten", "2 3"]],
      },
    };
  },
};
