/** Chapter 7: alpha, the share t, and the world of the proof that leaves the least slack; in units of H(S_anchor). */
import { fixed, sum } from "./laws.js";

const SHARES = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1];
const said = (value) => fixed(value, 1);

/**
 * GGMI and the right-hand side of its upper bound, from the entropies of the independent parts A, B and C:
 * the anchors are (A, B, C), the data (A, B), the model keeps A, and a model of the anchors is constant.
 */
export function world({ alpha, share }) {
  const parts = [1 - share, alpha - 1 + share, 1 - alpha];
  const [A, B, C] = parts;
  const anchors = sum(parts);
  const [unknown, diverse, gained] = [B + C, B, 0]; // H(S|W), H(G|W), H(X|hp)
  const entropies = anchors - (A + B);
  const right = gained - (alpha + 1) * unknown + 2 * entropies + diverse + unknown - anchors;
  return { exists: B > -1e-9, ggmi: -A, right, slack: right + A };
}

/** @type {import("./figure.js").Figure} */
export const figure = {
  controls: () => [
    { name: "alpha", label: "share α of the prompt in its factor", values: SHARES, start: 0.5, say: said },
    { name: "share", label: "share t of the anchors that the model does not know", values: SHARES, start: 1, say: said },
  ],
  show(setting, { colors }) {
    const { alpha, share } = setting;
    const here = world(setting);
    const edge = 1 / (1 + share);
    const grid = SHARES.flatMap((a) => SHARES.map((t) => [t, a, world({ alpha: a, share: t })])).filter((one) => one[2].exists);
    const holds = alpha <= edge + 1e-9;
    const curve = SHARES.flatMap((t) => [t, t + 0.05]).filter((t) => t <= 1);
    const where = `α = ${said(alpha)}, and 1/(1 + t) is ${fixed(edge, 3)}`;
    return {
      values: { "ggmi-edge-worlds": grid.length },
      line: here.exists
        ? `In this world GGMI is ${fixed(here.ggmi, 2)} and the upper bound ${fixed(here.right, 2)}, ` +
          `a slack of ${fixed(here.slack, 2)}, in units of the anchors' entropy.`
        : `There is no world of the proof for α = ${said(alpha)}, t = ${said(share)}; the bound holds all the same, as ${where}.`,
      claims: {
        "ggmi-upper": [holds, `with your α in place of a half: ${where}`],
        "ggmi-edge-slack": [here.exists, here.exists
          ? `slack ${fixed(here.slack, 2)}, so the bound is ${here.slack < -1e-9 ? "broken" : "kept"}`
          : "its worlds need α ≥ 1 − t"],
      },
      chart: {
        alt: `α ${said(alpha)}, t ${said(share)}: the bound ${holds ? "holds" : "can be broken"}`,
        x: { label: "share t that the model does not know", domain: [0, 1] },
        y: { label: "share α", domain: [0, 1] },
        marks: [
          { kind: "area", points: curve.map((t) => [t, 0, 1 / (1 + t)]), color: `${colors.task}33` },
          { kind: "line", points: curve.map((t) => [t, 1 / (1 + t)]), color: colors.task },
          ...grid.map(([t, a, one]) => one.slack < -1e-9
            ? { kind: "dot", at: [t, a], color: colors.truth, shape: "cross", size: 3 }
            : { kind: "dot", at: [t, a], color: colors.task, size: 3 }),
          { kind: "dot", at: [share, alpha], color: "currentColor", size: 8, shape: holds ? undefined : "cross" },
        ],
        keys: [[colors.task, "α = 1/(1 + t); the bound holds on and below", ""], [colors.truth, "a world breaks the bound"], ["currentColor", "your shares"]],
      },
    };
  },
};
