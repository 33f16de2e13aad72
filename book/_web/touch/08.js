/** Chapter 8: the median gap as K, J or L grows, for four estimates, from stored worlds. */
import { fixed } from "./laws.js";

const NAMES = { released: "as released", shared: "on a shared grid", forward: "forward, from fit to task", reverse: "reverse, from task to fit" };
const ESTIMATES = Object.keys(NAMES);

/** @type {import("./figure.js").Figure} */
export const figure = {
  controls: ({ values }) => [
    { name: "panel", label: "what grows; the others stay at 2", values: ["K", "J", "L"], start: "K", choose: true },
    { name: "value", label: "its value", values, start: 2 },
    { name: "estimate", label: "estimate of the gap", values: ESTIMATES, start: "released", say: (one) => NAMES[one], choose: true },
  ],
  show({ panel, value, estimate }, data) {
    const rows = data.medians[panel];
    const at = data.values.indexOf(value);
    const here = Object.fromEntries(ESTIMATES.map((name) => [name, rows[name][at]]));
    const corner = Object.fromEntries(ESTIMATES.map((name) => [`gmm-${name}-median`, data.medians.K[name][0]]));
    const curve = rows[estimate];
    const room = Math.max(...curve.map(Math.abs)) * 0.08;
    const { task, truth } = data.colors;
    const said = (names) => `at ${panel} = ${value} the medians are ${names.map((name) => `${fixed(here[name], 1)} ${NAMES[name].split(",")[0]}`).join(" and ")}`;
    return {
      values: corner,
      line: `At ${panel} = ${value} the median gap is ${fixed(here[estimate], 2)} nats ${NAMES[estimate]}; by the others ` +
        `${ESTIMATES.filter((name) => name !== estimate).map((name) => `${fixed(here[name], 2)} ${NAMES[name]}`).join("; ")}.`,
      claims: {
        "gmm-corner-positive": [here.released > 0 && here.reverse > 0, said(["released", "reverse"])],
        "gmm-corner-negative": [here.shared < 0 && here.forward < 0, said(["shared", "forward"])],
      },
      chart: {
        alt: `Median gap ${NAMES[estimate]} ${fixed(here[estimate], 2)} nats at ${panel} = ${value}`,
        x: { label: panel, domain: [2, 15] },
        y: { label: "median gap (nats)", domain: [Math.min(0, ...curve) - room, Math.max(0, ...curve) + room] },
        marks: [
          { kind: "line", points: [[2, 0], [15, 0]], color: "currentColor", dash: "2 3" },
          { kind: "rule", at: value },
          { kind: "line", points: curve.map((one, i) => [data.values[i], one]), color: task },
          { kind: "dot", at: [value, here[estimate]], color: here[estimate] < 0 ? truth : task, size: 6 },
        ],
        keys: [[task, `gap ${NAMES[estimate]}`, ""]],
      },
    };
  },
};
