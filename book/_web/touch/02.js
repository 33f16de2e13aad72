/** Chapter 2: the two divergences and what a model makes of the data, as strictness and curation vary. */
import { after, fixed, gibbs, roll, sum, turned, tv } from "./laws.js";

const STRICT = [0, 0.25, 0.5, 1, 1.5, 2, 3, 4, 6, 8, 12, 16];
const TICKS = STRICT.map((value, i) => [i, String(value)]).filter(([, text]) => ["0", "1", "2", "4", "8", "16"].includes(text));

/** What curation makes of the rows. @param {number[][]} rows @param {string} kind */
function curate(rows, kind, noise, task) {
  if (kind === "noise") return turned(rows, noise);
  if (kind === "none") return rows;
  return rows.map((row) => {
    const kept = sum(row.map((p, i) => (task[i] > 0 ? p : 0)));
    return row.map((p, i) => (task[i] > 0 ? p / kept : 0));
  });
}

/** Divergences and expected excess risk at one strictness: TV and half the Brier score's excess. */
export function divergences({ strictness, kind, noise, readings }, { prompt, closeness, task }) {
  const answers = gibbs(closeness, strictness);
  const data = curate(answers, kind, noise, task);
  const [model, generated] = [after(prompt, answers), after(prompt, data)];
  const total = readings + task.length / 2;
  const excess = sum(prompt.map((weight, p) => {
    const bias = sum(data[p].map((q, i) => ((readings * q + 0.5) / total - task[i]) ** 2));
    const spread = (readings * (1 - sum(data[p].map((q) => q * q)))) / total ** 2;
    return (weight * (bias + spread)) / 2;
  }));
  const [first, second] = [tv(task, model), tv(model, generated)];
  return { first, second, sum: first + second, distance: tv(task, generated), excess };
}

/** @type {import("./figure.js").Figure} */
export const figure = {
  controls: ({ strictness, noise, readings }) => [
    { name: "strictness", label: "strictness of the prompt, β", values: STRICT, start: strictness },
    { name: "kind", label: "curation", values: ["noise", "verifier", "none"], start: "noise", choose: true },
    { name: "noise", label: "noise (probability)", values: [0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6], start: noise },
    { name: "readings", label: "readings of the learner, n", values: [1, 5, 10, 20, 50, 100, 200, 1000], start: readings },
  ],
  show(setting, data) {
    const at = (more) => divergences({ ...setting, ...more }, data);
    const along = (more) => STRICT.map((strictness) => at({ strictness, ...more }));
    const [here, curves] = [at({}), along({})];
    const [noisy, checked, plain] = [along({ kind: "noise" }), along({ kind: "verifier" }), along({ kind: "none" })];
    const [one, raw] = [at({ kind: "verifier" }), at({ kind: "none" })];
    const rising = noisy.slice(1).filter((value, i) => value.second - noisy[i].second > 1e-9).length;
    const last = STRICT.length - 1;
    const now = STRICT.indexOf(setting.strictness);
    const { task, model, bound, curated } = data.colors;
    const lines = [["first", task, "task divergence", "6 4"], ["second", model, "generation divergence", "2 3"],
      ["sum", bound, "their sum, charged by the bound", ""], ["distance", curated, "distance from task to data", ""]];
    return {
      values: {
        "task-divergence-loose": plain[0].first, "task-divergence-strict": plain[last].first,
        "task-divergence-best": Math.min(...plain.map((value) => value.first)),
        "verifier-generation-loose": checked[0].second, "verifier-sum-loose": checked[0].sum,
        "verifier-distance-loose": checked[0].distance, "excess-loose": plain[0].excess,
        "excess-strict": plain[last].excess, "excess-strict-noise": noisy[last].excess,
      },
      line: `Task divergence ${fixed(here.first, 3)}, generation divergence ${fixed(here.second, 3)}, their sum ` +
        `${fixed(here.sum, 3)}; the data is ${fixed(here.distance, 3)} from the task. A model of ${setting.readings} ` +
        `readings has an expected excess risk of ${fixed(here.excess, 4)}.`,
      claims: {
        "generation-rises": [rising === last, `${rising} of ${last} steps do, with a noise of ${setting.noise}`],
        "noise-repairs": [noisy[last].distance < noisy[last].first - 1e-9,
          `data ${fixed(noisy[last].distance, 3)}, answers ${fixed(noisy[last].first, 3)} from the task, with a noise of ${setting.noise}`],
        "sum-overstates": [one.distance < one.first - 1e-9 && one.sum > one.first + 1e-9,
          `at β = ${setting.strictness} the verifier moves the distance from ${fixed(one.first, 3)} to ${fixed(one.distance, 3)}, the sum is ${fixed(one.sum, 3)}`],
        "verifier-harms-strict": [one.excess > raw.excess + 1e-12,
          `at β = ${setting.strictness} and n = ${setting.readings} excess risk ${fixed(one.excess, 4)} verified, ${fixed(raw.excess, 4)} raw`],
      },
      chart: {
        alt: `Task divergence ${fixed(here.first, 3)}, generation divergence ${fixed(here.second, 3)} at strictness ${setting.strictness}`,
        x: { label: "strictness β", domain: [0, last], ticks: TICKS },
        y: { label: "total variation", domain: [0, 1] },
        marks: [
          { kind: "rule", at: now },
          ...lines.map(([name, color, , dash]) => ({ kind: "line", points: curves.map((c, i) => [i, c[name]]), color, dash })),
          ...lines.map(([name, color]) => ({ kind: "dot", at: [now, here[name]], color })),
        ],
        keys: lines.map(([, color, label, dash]) => [color, label, dash]),
      },
    };
  },
};
