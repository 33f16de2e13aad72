/** Chapter 6: the terms of the post-training bound, and the gap and risk, as the knobs are turned. */
import { after, fixed, gibbs, information, roll, sum, turned, tv } from "./laws.js";

const SIZES = [1, 2, 3, 5, 8];
const NOISES = [0, 0.2, 0.4, 0.6];

/** Every way to count n readings of k outcomes, with its number of orders. */
function types(k, n) {
  const made = [];
  const counts = new Array(k).fill(0);
  const place = (at, left, orders) => {
    if (at === k - 1) {
      counts[at] = left;
      made.push({ counts: [...counts], orders });
      return;
    }
    let ways = orders;
    for (let many = 0; many <= left; many++) {
      counts[at] = many;
      place(at + 1, left - many, ways);
      ways *= (left - many) / (many + 1);
    }
  };
  place(0, n, 1);
  return made;
}

/** The parts of the bound; the world is symmetric, so that one prompt's learner is another's, turned. */
export function assemble({ strictness, readings, learning, noise }, { prompt, closeness, loss, task }) {
  const answers = gibbs(closeness, strictness);
  const data = turned(answers, noise);
  const all = types(task.length, readings);
  const rows = gibbs(all.map(({ counts }) => loss.map((row) => -sum(row.map((l, z) => l * counts[z])) / readings)), learning);
  const law = all.map(({ counts, orders }) => counts.reduce((p, c, z) => p * data[0][z] ** c, orders));
  const models = after(law, rows); // for the first prompt
  const known = Math.max(Math.LN2 * information(law, rows), 0);
  const training = sum(all.map(({ counts }, i) =>
    (law[i] * sum(rows[i].map((p, w) => p * sum(loss[w].map((l, z) => l * counts[z]))))) / readings));
  const risk = sum(prompt.map((weight, p) => weight * sum(roll(models, p).map((q, w) => q * sum(loss[w].map((l, z) => l * task[z]))))));
  const mean = (value) => sum(prompt.map((weight, p) => weight * value(p)));
  const parts = {
    task: mean((p) => tv(task, answers[p])), generation: mean((p) => tv(answers[p], data[p])),
    sampling: Math.sqrt(known / (2 * readings)), shortest: mean((p) => tv(task, data[p])),
  };
  return {
    ...parts, training, risk, gap: risk - training, information: known,
    total: parts.task + parts.generation + parts.sampling, shortest: parts.shortest + parts.sampling,
  };
}

/** @type {import("./figure.js").Figure} */
export const figure = {
  controls: ({ strictness, noise, learning, readings }) => [
    { name: "strictness", label: "strictness of the prompt, β", values: [0, 0.25, 0.5, 1, 1.5, 2, 3, 4, 6, 8, 12, 16], start: strictness },
    { name: "readings", label: "readings, n", values: SIZES, start: readings },
    { name: "learning", label: "learner's λ", values: [1, 3, 10, 20, 30, 100], start: learning },
    { name: "noise", label: "curation: probability of a turn", values: NOISES, start: noise },
  ],
  show(setting, data) {
    const at = (more) => assemble({ ...setting, ...more }, data);
    const here = at({});
    const bySize = SIZES.map((readings) => at({ readings }));
    const byNoise = NOISES.map((noise) => at({ noise }));
    const steps = (list, good) => list.slice(1).filter((one, i) => good(list[i], one)).length;
    const more = steps(bySize, (a, b) => Math.abs(b.gap) < Math.abs(a.gap) - 1e-9 && b.total < a.total - 1e-9 && b.risk < a.risk - 1e-9);
    const noisier = steps(byNoise, (a, b) => b.total > a.total + 1e-9 && b.risk > a.risk + 1e-9 && b.gap < a.gap - 1e-9);
    const { task, curated, model } = data.colors;
    const bars = [["task", task, "task divergence"], ["generation", curated, "generation divergence"], ["sampling", model, "information"]];
    const names = ["bound", "gap", "risk"];
    const heights = [here.total, Math.abs(here.gap), here.risk];
    return {
      values: { "post-gap": here.gap, "post-total": here.total, "post-shortest": here.shortest,
        "post-given": here.information / Math.LN2 },
      line: `Task divergence ${fixed(here.task, 3)}, generation divergence ${fixed(here.generation, 3)}, information term ` +
        `${fixed(here.sampling, 3)}: the bound is ${fixed(here.total, 3)}. The gap is ${fixed(here.gap, 3)}, the risk ${fixed(here.risk, 3)}.`,
      claims: {
        "post-never-empty": [here.total < 1, `the bound is ${fixed(here.total, 3)}, the largest loss 1`],
        "post-more-readings": [more === SIZES.length - 1, `${more} of ${SIZES.length - 1} steps in n do, with the other settings as chosen`],
        "post-noise-moves": [noisier === NOISES.length - 1, `${noisier} of ${NOISES.length - 1} steps do, with the other settings as chosen`],
      },
      chart: {
        alt: names.map((name, i) => `${name} ${fixed(heights[i], 3)}`).join(", "),
        x: { label: "", domain: [-0.6, 2.6], ticks: names.map((name, i) => [i, name]) },
        y: { label: "risk difference, risk", domain: [0, 1.6] },
        marks: [
          { kind: "bar", at: 0, layers: bars.map(([name, color]) => [here[name], color]) },
          { kind: "bar", at: 1, layers: [[heights[1], data.colors.truth]] },
          { kind: "bar", at: 2, layers: [[here.risk, data.colors.grey]] },
          { kind: "line", points: [[-0.6, 1], [2.6, 1]], color: "currentColor", dash: "6 4" },
          ...heights.map((height, i) => ({ kind: "text", at: [i, height], text: fixed(height, 3) })),
        ],
        keys: [...bars.map(([, color, label]) => [color, label]), ["currentColor", "largest loss", "6 4"]],
      },
    };
  },
};
