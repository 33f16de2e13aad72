/** Chapter 9: how the recorded gap of students moves with novel, anchored and off-task skills, in three versions. */
import { fixed } from "./laws.js";

const MOVES = {
  j: ["J", "no novel skill to eight"],
  k: ["K", "two anchored skills to eight"],
  l: ["L", "no off-task skill to eight"],
};

/** @type {import("./figure.js").Figure} */
export const figure = {
  controls: ({ versions }) => [
    { name: "version", label: "version of the gap", values: versions, start: versions[0], choose: true },
    { name: "move", label: "what grows", values: Object.keys(MOVES), start: "j", say: (one) => `${MOVES[one][0]}: from ${MOVES[one][1]}`, choose: true },
  ],
  show({ version, move }, data) {
    const found = data.found[version];
    const rise = found[move];
    const [letter, words] = MOVES[move];
    const { task, grey } = data.colors;
    const heights = [found.zero, found.gap, ...Object.keys(MOVES).map((one) => found[one])];
    const names = ["J = 0", "J = 4", ...Object.values(MOVES).map(([one]) => `with ${one}`)];
    const shade = (i) => (i < 2 ? grey : Object.keys(MOVES)[i - 2] === move ? data.colors.truth : task);
    const bar = (x, y) => [[x - 0.3, Math.min(0, y), Math.max(0, y)], [x + 0.3, Math.min(0, y), Math.max(0, y)]];
    return {
      values: Object.fromEntries(data.versions.flatMap((one) => Object.entries(data.found[one]).map(([part, value]) =>
        [part === "gap" || part === "zero" ? `lm-${part}-${one}` : `lm-rise-${part}-${one}`, value]))),
      line: `The ${version} gap is ${fixed(found.zero, 2)} nats with four anchored skills and no novel one, and ${fixed(found.gap, 2)} with four. ` +
        `From ${words} it changes by ${fixed(rise, 2)}.`,
      claims: {
        "lm-gap-positive": [found.gap > 0, `the ${version} gap is ${fixed(found.gap, 2)} nats`],
        "lm-gap-j": [rise > 0, `with ${letter} in their place the ${version} gap changes by ${fixed(rise, 2)}`],
        "lm-gap-asymmetric": [Math.abs(rise) > Math.abs(found.l) + 1e-9,
          `with ${letter} in the place of novel skills ${fixed(rise, 2)}, with off-task ones ${fixed(found.l, 2)}`],
      },
      chart: {
        alt: names.map((name, i) => `${name} ${fixed(heights[i], 2)}`).join(", "),
        x: { label: "gap at K = 4, L = 0, then changes of the gap", domain: [-0.6, 4.6], ticks: names.map((name, i) => [i, name]) },
        y: { label: "KL gap (nats)", domain: [-18, 20] },
        marks: [
          ...heights.map((y, i) => ({ kind: "area", points: bar(i, y), color: shade(i) })),
          { kind: "line", points: [[-0.6, 0], [4.6, 0]], color: "currentColor" },
          ...heights.map((y, i) => ({ kind: "text", at: [i, Math.max(y, 0)], text: fixed(y, 1) })),
        ],
        keys: [[grey, "the gap"], [task, "its change"], [data.colors.truth, "the change that you chose"]],
      },
    };
  },
};
