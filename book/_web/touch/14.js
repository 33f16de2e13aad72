/** Chapter 14: what one real sequence is worth, from the stored curves: geometric means over languages. */
import { fixed } from "./laws.js";

const NAMES = { real: "real", verified: "verified answers", raw: "raw answers", "verified, early": "verified, early generator" };
const DASHES = ["", "6 4", "2 3", "8 3 2 3"];

/** @type {import("./figure.js").Figure} */
export const figure = {
  controls: ({ sizes, others, widths }) => [
    { name: "n", label: "real sequences for each skill, n", values: sizes, start: 64 },
    { name: "source", label: "compared with", values: others, start: others[0], say: (one) => NAMES[one], choose: true },
    { name: "width", label: "width of the students", values: widths, start: widths[0], choose: true },
  ],
  show({ n, source, width }, data) {
    const { sizes, others } = data;
    const curves = data.curves[width];
    const at = sizes.indexOf(n);
    const [real, other] = [curves.real[at], curves[source][at]];
    const worth = data.worth[width][source][at];
    const said = worth === null ? "no number tried of them reaches it" : `it is worth ${fixed(worth, 2)} of them`;
    const least = (name) => Math.min(...curves[name]);
    const beyond = ["raw", "verified, early"].filter((name) => real < least(name));
    const apart = Math.max(real / other, other / real);
    const { task, truth, curated, model } = data.colors;
    const colors = [task, curated, truth, model];
    const names = ["real", ...others];
    const [x, y] = [Math.log2, Math.log10];
    const middle = data.worth[data.widths[0]]; // the book's choice: medians over widths
    return {
      values: { "scale-k-few": middle.verified[1], "scale-k-some": middle.verified[2] },
      line: `${n} real sequences for each skill lead to a divergence of ${fixed(real, 3)} nats, as many ${NAMES[source]} to ` +
        `${fixed(other, 3)}. One real sequence: ${said}.`,
      claims: {
        "scale-fair": [apart < 2, `at your n and source the divergences differ by a factor of ${fixed(apart, 2)}`],
        "scale-never": [beyond.length === 2, `at n = ${n} real ones reach ${fixed(real, 3)}; the least of raw answers is ` +
          `${fixed(least("raw"), 3)}, of early ones ${fixed(least("verified, early"), 3)}`],
      },
      chart: {
        alt: `Divergence ${fixed(real, 3)} with ${n} real sequences, ${fixed(other, 3)} with as many ${NAMES[source]}`,
        x: { label: "sequences for each skill", domain: [x(sizes[0]), x(sizes.at(-1))], ticks: sizes.map((one) => [x(one), String(one)]) },
        y: { label: "divergence (nats)", domain: [-2.2, 0.4], ticks: [[-2, "0.01"], [-1, "0.1"], [0, "1"]] },
        marks: [
          { kind: "rule", at: x(n) },
          ...names.map((name, i) => ({ kind: "line", points: curves[name].map((one, j) => [x(sizes[j]), y(one)]), color: colors[i], dash: DASHES[i] })),
          { kind: "dot", at: [x(n), y(real)], color: task, size: 6 },
          { kind: "dot", at: [x(n), y(other)], color: colors[names.indexOf(source)], size: 6 },
        ],
        keys: names.map((name, i) => [colors[i], NAMES[name], DASHES[i]]),
      },
    };
  },
};
