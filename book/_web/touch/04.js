/** Chapter 4: what layers that forget do to risk, gap and bounds of the Gibbs learner of four readings. */
import { after, entropy, fixed, gibbs, information, sum } from "./laws.js";

const DEPTHS = Array.from({ length: 13 }, (_, i) => i);

/** All samples of n readings that can occur: counts, probability and the number of orders are taken together. */
function samples(task, n) {
  const possible = task.flatMap((p, z) => (p > 0 ? [z] : []));
  let made = [{ counts: task.map(() => 0), p: 1, left: n }];
  possible.forEach((z, i) => {
    made = made.flatMap(({ counts, p, left }) => {
      const taken = i === possible.length - 1 ? [left] : Array.from({ length: left + 1 }, (_, many) => many);
      return taken.map((many) => {
        let orders = 1;
        for (let j = 0; j < many; j++) orders *= (left - j) / (j + 1);
        return { counts: counts.map((c, at) => (at === z ? many : c)), p: p * orders * task[z] ** many, left: left - many };
      });
    });
  });
  return made;
}

/** The learner without layers: information of all readings and of one, in nats, and the joint law of a reading and W. */
export function learned({ learning }, { task, loss, readings }) {
  const all = samples(task, readings);
  const scores = all.map(({ counts }) => loss.map((row) => -sum(row.map((l, z) => l * counts[z]))));
  const rows = gibbs(scores, learning);
  const law = all.map((one) => one.p);
  const models = after(law, rows);
  const pair = task.map((_, z) => loss.map((_, w) => sum(all.map(({ counts, p }, i) => (p * counts[z] * rows[i][w]) / readings))));
  const nats = Math.LN2;
  const single = nats * (entropy(task) + entropy(models) - entropy(pair.flat()));
  return { whole: Math.max(nats * information(law, rows), 0), single: Math.max(single, 0), models, pair };
}

/** Risk, training risk, gap and bounds behind some layers, each of which forgets at a rate. */
export function behind({ depth, rate, learning }, data, known = learned({ learning }, data)) {
  const { task, loss, readings } = data;
  const tau = (1 - rate) ** depth;
  const mean = loss.map((row) => sum(row) / row.length);
  const seen = loss.map((row, w) => row.map((l) => tau * l + (1 - tau) * mean[w]));
  const atTask = seen.map((row) => sum(row.map((l, z) => l * task[z])));
  const risk = sum(known.models.map((p, w) => p * atTask[w]));
  const training = sum(known.pair.map((row, z) => sum(row.map((p, w) => p * seen[w][z]))));
  const eta = data.etas[String(rate)] ** depth;
  return {
    risk, training, gap: Math.abs(risk - training), best: Math.min(...atTask),
    sharp: tau * Math.sqrt(known.single / 2), whole: tau * Math.sqrt(known.whole / (2 * readings)),
    kl: Math.sqrt(eta) * Math.sqrt(known.whole / (2 * readings)),
  };
}

/** @type {import("./figure.js").Figure} */
export const figure = {
  controls: ({ rate, learning, etas }) => [
    { name: "depth", label: "layers, L", values: DEPTHS, start: 12 },
    { name: "rate", label: "rate at which a layer forgets", values: Object.keys(etas).map(Number).sort((a, b) => a - b), start: rate },
    { name: "learning", label: "learner's λ", values: [0, 1, 2, 4, 6, 8, 12, 16, 24, 32], start: learning },
  ],
  show(setting, data) {
    const known = learned(setting, data);
    const all = DEPTHS.map((depth) => behind({ ...setting, depth }, data, known));
    const here = all[setting.depth];
    const tau = 1 - setting.rate;
    const steps = all.slice(1).map((one, i) => [all[i], one]);
    const exact = steps.every(([a, b]) => Math.abs(b.gap - tau * a.gap) < 1e-9);
    const rising = steps.filter(([a, b]) => b.risk > a.risk + 1e-9 && b.best > a.best + 1e-9).length;
    const worse = steps.filter(([a, b]) => ["sharp", "whole"].every((k) => b.training + b[k] > a.training + a[k] + 1e-12)).length;
    const { colors } = data;
    const lines = [["risk", colors.task, "risk", ""], ["best", colors.curated, "smallest risk", "6 4"], ["gap", colors.truth, "gap", ""],
      ["sharp", colors.other, "bound with τ, single readings", "2 3"], ["kl", colors.bound, "bound with η", "6 4"]];
    return {
      values: {
        "depth-information": known.whole, "depth-gap-none": all[0].gap, "depth-gap-deep": all[12].gap,
        "depth-risk-none": all[0].risk, "depth-risk-deep": all[12].risk, "depth-loose": all[0].sharp / all[0].gap,
      },
      line: `Behind ${setting.depth} layers the risk is ${fixed(here.risk, 3)}, the training risk ${fixed(here.training, 3)}, ` +
        `the gap ${fixed(here.gap, 4)}; the bounds are ${fixed(here.sharp, 4)} with τ and ${fixed(here.kl, 4)} with η. ` +
        `The parameters hold ${fixed(known.whole, 3)} nats.`,
      claims: {
        "depth-gap-exact": [exact, `the factor of a layer is τ = ${fixed(tau, 2)}`],
        "depth-risk-rises": [rising === 12, `${rising} of 12 layers raise both`],
        "depth-guarantee": [worse === 12, `${worse} of 12 layers make it worse`],
      },
      chart: {
        alt: `Risk ${fixed(here.risk, 3)}, gap ${fixed(here.gap, 4)}, bound ${fixed(here.sharp, 4)} behind ${setting.depth} layers`,
        x: { label: "layers L", domain: [0, 12] },
        y: { label: "expected loss", domain: [0, 0.6] },
        marks: [
          { kind: "rule", at: setting.depth },
          ...lines.map(([name, color, , dash]) => ({ kind: "line", points: all.map((one, i) => [i, one[name]]), color, dash })),
          ...lines.map(([name, color]) => ({ kind: "dot", at: [setting.depth, here[name]], color, size: 4 })),
        ],
        keys: lines.map(([, color, label, dash]) => [color, label, dash]),
      },
    };
  },
};
