/** Chapter 15: the information gain of the pretrained model's answers by prompt, anchors and temperature, as stored. */
import { fixed } from "./laws.js";

/** @type {import("./figure.js").Figure} */
export const figure = {
  controls: ({ anchors, heats, prompts }) => [
    { name: "anchors", label: "anchors in the prompt", values: anchors, start: 1 },
    { name: "heat", label: "temperature", values: heats, start: 1 },
    { name: "prompt", label: "prompt", values: prompts, start: "loose", choose: true },
  ],
  show({ anchors, heat, prompt }, data) {
    const gain = (k, t, p) => data.gain[p][String(t)]?.[data.anchors.indexOf(k)];
    const right = data.right[prompt][String(heat)][data.anchors.indexOf(anchors)];
    const here = gain(anchors, heat, prompt);
    const first = [0, 1, 2].map((k) => gain(k, heat, prompt));
    const warmer = data.heats.map((t) => gain(anchors, t, prompt));
    const pair = ["strict", "loose"].map((p) => gain(anchors, heat, p));
    const { task, curated, truth } = data.colors;
    const colors = [curated, task, truth];
    const nats = (values) => values.map((one) => fixed(one, 1)).join(", ");
    return {
      values: { "pre-gain-none": gain(0, 1, "loose"), "pre-gain-one": gain(1, 1, "loose"), "pre-gain-two": gain(2, 1, "loose"),
        "pre-gain-four": gain(4, 1, "strict"), "pre-gain-cold": gain(4, 0.5, "strict"), "pre-gain-hot": gain(4, 1.5, "strict") },
      line: `A ${prompt} prompt, anchors: ${anchors}, temperature ${heat}: an answer gains ${fixed(here, 1)} nats, ` +
        `and a share of ${fixed(right, 2)} of the answers is right.`,
      claims: {
        "pre-anchors": [first[0] > first[1] && first[1] > first[2],
          `a ${prompt} prompt at temperature ${heat}: ${nats(first)} nats with none, one and two`],
        "pre-heat": [warmer[0] < warmer[1] && warmer[1] < warmer[2], `a ${prompt} prompt, anchors: ${anchors}: ${nats(warmer)} nats as it gets warmer`],
        "pre-strict": [pair[0] < pair[1], `anchors: ${anchors}, temperature ${heat}: ${fixed(pair[0], 1)} strict, ${fixed(pair[1], 1)} loose`],
      },
      chart: {
        alt: `Gain ${fixed(here, 1)} nats, anchors ${anchors}, temperature ${heat}, ${prompt} prompt`,
        x: { label: "anchors in the prompt", domain: [0, data.anchors.at(-1)], ticks: data.anchors.map((k) => [k, String(k)]) },
        y: { label: "gain (nats)", domain: [0, 2.5], ticks: [[0, "1"], [1, "10"], [2, "100"]] },
        marks: [
          { kind: "rule", at: anchors },
          ...data.heats.map((t, i) => ({ kind: "line", color: colors[i],
            points: data.anchors.map((k) => [k, Math.log10(gain(k, t, prompt))]) })),
          { kind: "dot", at: [anchors, Math.log10(here)], color: colors[data.heats.indexOf(heat)], size: 6 },
        ],
        keys: data.heats.map((t, i) => [colors[i], `temperature ${t}`, ""]),
      },
    };
  },
};
