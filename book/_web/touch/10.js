/** Chapter 10: what a loop keeps of a variance, alone, with fresh data, or accumulating. */
import { fixed } from "./laws.js";

const FITS = Array.from({ length: 41 }, (_, i) => i);
const KINDS = ["alone", "with fresh data", "accumulating"];

/** The digamma function, for x > 0. @param {number} x */
function digamma(x) {
  let [shift, y] = [0, x];
  while (y < 8) shift -= 1 / y++;
  const z = 1 / (y * y);
  return shift + Math.log(y) - 1 / (2 * y) - z * (1 / 12 - z * (1 / 120 - z * (1 / 252 - z / 240)));
}

/** The expected share of a variance after some fits, and the drift of its logarithm with the unbiased estimator. */
export function loop({ kind, n, fresh, fits }) {
  const share = kind === KINDS[1] ? fresh / n : 0;
  const alone = (1 - 1 / n) ** fits;
  const drift = digamma((n - 1) / 2) + Math.log(2 / (n - 1));
  let kept = 1;
  if (kind === KINDS[2]) for (let j = 1; j <= fits; j++) kept *= 1 - 1 / (n * j * j);
  else {
    const floor = 1 - 1 / (n * share * (2 - share) + 1 - share);
    kept = floor + (1 - floor) * ((1 - share) * (1 - share - 1 / n)) ** fits;
  }
  return { kept, alone, moved: 1 - kept, drift: Math.exp(drift * fits) };
}

/** @type {import("./figure.js").Figure} */
export const figure = {
  controls: ({ n, fresh, fits }) => [
    { name: "kind", label: "loop", values: KINDS, start: KINDS[0], choose: true },
    { name: "n", label: "data of a fit, n", values: [4, 8, 16, 32, 64, 128, 256, 512], start: n },
    { name: "fresh", label: "fresh data in the loop that has them", values: [0, 1, 2, 3, 4], start: fresh },
    { name: "fits", label: "fits", values: FITS, start: fits },
  ],
  show(setting, data) {
    const at = (more) => loop({ ...setting, ...more });
    const here = at({});
    const { model, task, curated } = data.colors;
    const colors = [model, task, curated];
    const each = KINDS.map((kind) => at({ kind }));
    const same = Math.abs(here.kept - here.alone) < 1e-9;
    return {
      values: { "collapse-kept-alone": each[0].kept, "collapse-kept-fresh": each[1].kept, "collapse-kept-accumulating": each[2].kept },
      line: `After ${setting.fits} fits of ${setting.n} data the loop ${setting.kind} keeps ${fixed(here.kept, 3)} of a variance; ` +
        `${fixed(here.moved, 3)} became distance from the task. With ${setting.fresh} fresh data it would be ` +
        `${fixed(each[1].kept, 3)}, accumulating ${fixed(each[2].kept, 3)}.`,
      claims: {
        "collapse-same-factor": [same, `the loop ${setting.kind} keeps ${fixed(here.kept, 3)}, and the factor is ${fixed(here.alone, 3)}`],
        "collapse-fair-shrinks": [here.drift < 0.2, `after ${setting.fits} fits the drift of a loop alone leaves ${fixed(here.drift, 3)}`],
      },
      chart: {
        alt: `Kept after ${setting.fits} fits: ${KINDS.map((kind, i) => `${kind} ${fixed(each[i].kept, 3)}`).join(", ")}`,
        x: { label: "fits", domain: [0, 40] },
        y: { label: "variance, share of the task's", domain: [0, 1] },
        marks: [
          { kind: "rule", at: setting.fits },
          ...KINDS.map((kind, i) => ({ kind: "line", points: FITS.map((fits) => [fits, at({ kind, fits }).kept]), color: colors[i] })),
          { kind: "dot", at: [setting.fits, here.kept], color: colors[KINDS.indexOf(setting.kind)], size: 6 },
        ],
        keys: KINDS.map((kind, i) => [colors[i], kind, ""]),
      },
    };
  },
};
