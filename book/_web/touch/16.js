/** Chapter 16: a Gaussian mean that is learned behind a verifier with a centre, round by round. */
import { fixed } from "./laws.js";

const LONG = 12;

/** Error and information after each round. */
export function pull({ away, keep, accepted }, { first }) {
  const rounds = [];
  for (let t = 0, noise = 0, left = 1; t <= LONG; t++) {
    const variance = left ** 2 * first + (keep / accepted) * noise;
    rounds.push({ error: (away * (1 - left)) ** 2 + variance, told: Math.log1p((left * away) ** 2 / variance) / 2 });
    noise += left ** 2;
    left *= keep;
  }
  return rounds;
}

/** @type {import("./figure.js").Figure} */
export const figure = {
  controls: ({ away, keep, accepted }) => [
    { name: "away", label: "distance b of the verifier's centre from the truth", values: [0, 0.2, 0.4, 0.6, 0.8, 1, 1.2], start: away },
    { name: "keep", label: "λ: how much of the way from the centre is left", values: [0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1], start: keep },
    { name: "accepted", label: "accepted readings in a round, n", values: [5, 10, 20, 50, 100], start: accepted },
    { name: "round", label: "round", values: Array.from({ length: LONG + 1 }, (_, i) => i), start: 2 },
  ],
  show(setting, data) {
    const { away, keep, accepted, round } = setting;
    const behind = pull(setting, data);
    const without = pull({ ...setting, keep: 1 }, data);
    const low = Math.min(...behind.map((one) => one.error));
    const where = behind.findIndex((one) => one.error === low);
    const end = keep < 1 ? away ** 2 + keep / accepted / (1 - keep ** 2) : NaN;
    const [first, last] = [behind[0].error, behind[LONG].error];
    const rises = without.slice(1).every((one, i) => one.error > without[i].error);
    const holds = behind[1].error < first && behind[2].error < first && last > first && rises;
    const falling = behind.slice(1).filter((one, i) => one.told < behind[i].told - 1e-12).length;
    const { task, model, grey } = data.colors;
    return {
      values: { "loops-pull-first": first, "loops-pull-low": low, "loops-pull-round": where, "loops-pull-end": end,
        "loops-told-first": behind[0].told, "loops-told-low": behind[where].told },
      line: `After ${round} rounds the squared error is ${fixed(behind[round].error, 3)}, without a verifier ` +
        `${fixed(without[round].error, 3)}; the estimate tells ${fixed(behind[round].told, 3)} nats about the mean. ` +
        `The error is smallest, ${fixed(low, 3)}, after ${where} rounds` +
        (keep < 1 ? `, and ${fixed(end, 3)} in the end.` : "."),
      claims: {
        "loops-pull": [holds, `${fixed(first, 3)} at the start, ${fixed(behind[1].error, 3)} after one round, ${fixed(last, 3)} after ${LONG}`],
        "loops-told": [falling === LONG, `in ${falling} of ${LONG} rounds`],
      },
      chart: {
        alt: `Squared error ${fixed(behind[round].error, 3)} and ${fixed(behind[round].told, 3)} nats after ${round} rounds`,
        x: { label: "rounds", domain: [0, LONG] },
        y: { label: "squared error; information (nats)", domain: [0, 1.6] },
        marks: [
          { kind: "rule", at: round },
          { kind: "line", points: without.map((one, i) => [i, one.error]), color: grey, dash: "6 4" },
          { kind: "line", points: behind.map((one, i) => [i, one.error]), color: task },
          { kind: "line", points: behind.map((one, i) => [i, one.told]), color: model, dash: "2 3" },
          { kind: "dot", at: [round, behind[round].error], color: task },
          { kind: "dot", at: [round, behind[round].told], color: model },
        ],
        keys: [[task, "error with the verifier", ""], [grey, "error without", "6 4"], [model, "information", "2 3"]],
      },
    };
  },
};
