/** Appendix B: two estimators of mutual information, from the stored table: dimension against bias and coverage. */
import { fixed } from "./laws.js";

const NAMES = { ksg: "KSG", "gaussian-mi": "Gaussian copula" };

/** @type {import("./figure.js").Figure} */
export const figure = {
  controls: ({ cells, n }) => {
    const of = (key) => [...new Set(cells.map((cell) => cell[key]))];
    return [
      { name: "n", label: "rows, n", values: of("n").sort((a, b) => a - b), start: n },
      { name: "estimator", label: "estimator", values: Object.keys(NAMES), start: "ksg", say: (v) => NAMES[v], choose: true },
      { name: "world", label: "world", values: of("world"), start: "gaussian", choose: true },
    ];
  },
  show({ n, estimator, world }, data) {
    const of = (name, where, rows) => data.cells
      .filter((cell) => cell.estimator === name && cell.world === where && cell.n === rows)
      .sort((a, b) => a.d - b.d);
    const cells = of(estimator, world, n);
    const last = cells.at(-1);
    const asked = cells.length > 2 ? cells.filter((cell) => cell.d !== 2) : cells; // as in the sentence
    const falls = asked.slice(1).every((cell, i) => asked[i].mean - cell.mean > 0.05);
    const percent = (p) => `${fixed(100 * p, 0)}\u00a0%`;
    const { task, model, grey, curated } = data.colors;
    const color = estimator === "ksg" ? task : model;
    const top = Math.max(0.8, ...cells.map((cell) => cell.mean + cell.sd));
    const low = Math.min(-0.1, ...cells.map((cell) => cell.mean - cell.sd));
    const at = (d) => Math.log2(d);
    const values = {};
    for (const cell of of("ksg", "gaussian", data.n)) {
      if (cell.d === 2) continue;
      values[`cal-ksg-${cell.d}-mean`] = cell.mean;
      values[`cal-ksg-${cell.d}`] = cell.coverage;
    }
    const said = (cell) => `${fixed(cell.mean, 2)} nats in ${cell.d} dimension${cell.d > 1 ? "s" : ""}`;
    return {
      values,
      line: `${NAMES[estimator]}, world "${world}", ${n} rows, truth ${data.truth} nats: it reads ` +
        `${cells.map((cell) => `${said(cell)} (${percent(cell.coverage)} of intervals hold the truth)`).join(", ")}.`,
      claims: {
        "cal-ksg-falls": [falls, `the chosen estimator reads ${asked.map(said).join(", ")}`],
        "cal-ksg-useless": [last.high < 0.1, `in ${last.d} dimensions ${percent(last.coverage)} of its intervals hold the truth`],
      },
      chart: {
        alt: cells.map(said).join(", "),
        x: { label: "dimension", domain: [-0.4, at(20) + 0.4], ticks: cells.map((cell) => [at(cell.d), String(cell.d)]) },
        y: { label: "mean estimate (nats), coverage", domain: [low, Math.max(1.05, top)] },
        marks: [
          { kind: "line", points: [[-0.4, data.truth], [at(20) + 0.4, data.truth]], color: grey, dash: "6 4" },
          ...cells.map((cell) => ({ kind: "line", points: [[at(cell.d), cell.mean - cell.sd], [at(cell.d), cell.mean + cell.sd]], color })),
          { kind: "line", points: cells.map((cell) => [at(cell.d), cell.mean]), color },
          ...cells.map((cell) => ({ kind: "dot", at: [at(cell.d), cell.mean], color })),
          { kind: "line", points: cells.map((cell) => [at(cell.d), cell.coverage]), color: curated, dash: "2 3" },
          ...cells.map((cell) => ({ kind: "dot", at: [at(cell.d), cell.coverage], color: curated, shape: "cross" })),
        ],
        keys: [[color, "mean estimate, one standard deviation", ""], [grey, "truth", "6 4"], [curated, "coverage (a share)", "2 3"]],
      },
    };
  },
};
