/** Chapter 15: the pretrained model's answers at two temperatures, from the stored run. */
import { fixed } from "./laws.js";

/** @type {import("./figure.js").Figure} */
export const figure = {
  controls: ({ heats }) => {
    const values = Object.keys(heats).map(Number).sort((a, b) => a - b);
    return [
      { name: "heat", label: "temperature", values, start: 1 },
      { name: "hotter", label: "compared with temperature", values, start: 1.5 },
    ];
  },
  show({ heat, hotter }, { heats, most, colors }) {
    const [here, there] = [heats[heat], heats[hotter]];
    const all = Object.keys(heats).map(Number).sort((a, b) => a - b);
    const grown = there.gain / here.gain;
    const moved = Math.abs(there.entropy - here.entropy);
    const both = here.task + here.generation;
    const { model, curated, grey } = colors;
    const log = (value) => Math.log10(value);
    const path = (name) => all.map((one) => [one, log(heats[one][name])]);
    const low = Math.floor(10 * log(Math.min(...all.map((one) => heats[one].verified)))) / 10;
    const top = Math.ceil(10 * log(Math.max(...all.map((one) => heats[one].raw)))) / 10;
    return {
      values: {
        "pre-kl-raw-one": heats[1].raw, "pre-kl-verified-one": heats[1].verified, "pre-tv-task": heats[1].task,
        "pre-tv-generation": heats[1].generation, "pre-tv-direct": heats[1].direct, "pre-kept-one": heats[1].entropy,
        "pre-kept-hot": heats[1.5].entropy, "pre-gain-four": heats[1].gain, "pre-gain-hot": heats[1.5].gain,
      },
      line: `At ${heat}: divergence of the task from raw answers ${fixed(here.raw, 2)} nats, from verified ones ${fixed(here.verified, 2)}; ` +
        `${fixed(100 * here.accepted, 1)} % pass, with an entropy of ${fixed(here.entropy, 2)} of ${fixed(most, 2)} nats; gain ` +
        `${fixed(here.gain, 1)} nats. At ${hotter}: raw ${fixed(there.raw, 2)}, verified ${fixed(there.verified, 2)}, ` +
        `entropy ${fixed(there.entropy, 2)}, gain ${fixed(there.gain, 1)}.`,
      claims: {
        "pre-detour": [both > 1 && here.direct < (Math.min(here.task, here.generation) * 2) / 3,
          `at ${heat} the two are ${fixed(here.task, 2)} + ${fixed(here.generation, 2)} = ${fixed(both, 2)}, the direct one ${fixed(here.direct, 2)}`],
        "pre-noise": [grown > 5 && moved < 0.25,
          `from ${heat} to ${hotter} the gain becomes ${fixed(grown, 1)} times as large, and the entropy moves by ${fixed(moved, 2)} nats`],
      },
      chart: {
        alt: `At temperature ${heat}: raw ${fixed(here.raw, 2)}, verified ${fixed(here.verified, 2)} nats`,
        x: { label: "temperature", domain: [0.25, 1.55], ticks: all.map((one) => [one, String(one)]) },
        y: { label: "divergence from the task (nats)", domain: [low, top],
          ticks: [0.5, 1, 2, 4, 8, 16, 32, 64].filter((one) => log(one) >= low && log(one) <= top).map((one) => [log(one), String(one)]) },
        marks: [
          { kind: "rule", at: heat },
          { kind: "rule", at: hotter },
          { kind: "line", points: path("raw"), color: model },
          { kind: "line", points: path("verified"), color: curated, dash: "6 4" },
          ...[[heat, here], [hotter, there]].flatMap(([at, one]) => [
            { kind: "dot", at: [at, log(one.raw)], color: model },
            { kind: "dot", at: [at, log(one.verified)], color: curated, shape: "cross" },
          ]),
        ],
        keys: [[model, "raw answers", ""], [curated, "verified answers", "6 4"], [grey, "dotted: the two temperatures"]],
      },
    };
  },
};
