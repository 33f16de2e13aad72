/** Chapter 3: the joint law of one bit of data and one bit of parameters, its information, the gap and its bound. */
import { compared, entropy, fixed, normal, sum } from "./laws.js";

const NATS = Math.LN2;

/**
 * A reading Z and a model W that predicts it, wrong or right; in nats.
 * @param {{weights: number[]}} setting of (Z, W) = (0,0), (0,1), (1,0), (1,1)
 */
export function bits({ weights }) {
  const law = sum(weights) > 0 ? normal(weights) : weights.map(() => 1 / 4);
  const z = law[2] + law[3];
  const w = law[1] + law[3];
  const [H_Z, H_W, both] = [[1 - z, z], [1 - w, w], law].map((one) => NATS * entropy(one));
  const information = Math.max(H_Z + H_W - both, 0);
  const wrong = law[1] + law[2]; // training risk
  const risk = z * (1 - w) + w * (1 - z);
  return { law, H_Z, H_W, information, gap: risk - wrong, bound: Math.sqrt(information / 2) };
}

const WEIGHTS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
const CELLS = ["00", "01", "10", "11"];

/** @type {import("./figure.js").Figure} */
export const figure = {
  controls: () => CELLS.map((cell, i) => ({
    name: cell, label: `weight of Z = ${cell[0]}, W = ${cell[1]}`, values: WEIGHTS, start: [5, 0, 0, 5][i],
  })),
  show(setting, { colors }) {
    const here = bits({ weights: CELLS.map((cell) => setting[cell]) });
    const { information, bound } = here;
    const gap = Math.abs(here.gap);
    const curve = Array.from({ length: 41 }, (_, i) => (i / 40) * NATS);
    const share = here.law.map((p, i) => `${CELLS[i]} ${fixed(p, 2)}`).join(", ");
    return {
      values: { "label-gap": gap, "label-bound": bound }, // a model that repeats one fair bit, as in chapter 4
      line: `Law of (Z, W): ${share}. H(Z) is ${fixed(here.H_Z, 3)} nats, H(W) ${fixed(here.H_W, 3)}, ` +
        `I(Z;W) ${fixed(information, 3)}. The expected gap is ${fixed(here.gap, 3)}, the bound ${fixed(bound, 3)}.`,
      claims: {
        "mi-random-holds": [gap <= bound + 1e-9, `in your world, too, with one reading: ${fixed(gap, 3)} is at most ${fixed(bound, 3)}`],
        "mi-copies-break": [information > 1e-9,
          `with two copies of your Z the left side and the right one are ${compared(2 * information, information, 3, "nats")}`],
      },
      chart: {
        alt: `Information ${fixed(information, 3)} nats, gap ${fixed(gap, 3)}, bound ${fixed(bound, 3)}`,
        x: { label: "I(Z;W) (nats)", domain: [0, 0.7] },
        y: { label: "expected gap", domain: [0, 0.6] },
        marks: [
          { kind: "line", points: curve.map((x) => [x, Math.sqrt(x / 2)]), color: colors.bound },
          { kind: "rule", at: information },
          { kind: "dot", at: [information, gap], color: colors.truth, size: 7 },
          { kind: "dot", at: [information, bound], color: colors.bound, size: 5 },
        ],
        keys: [[colors.truth, "absolute gap of your law"], [colors.bound, "bound at every information", ""]],
      },
    };
  },
};
