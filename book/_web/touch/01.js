/** Chapter 1: the law of the data and what each stage knows of the anchors, as strictness, noise and learner vary. */
import { after, compose, entropy, fixed, gibbs, information, sum, turned, tv } from "./laws.js";

const STRICT = [0, 0.25, 0.5, 1, 1.5, 2, 3, 4, 6, 8, 12, 16];

/** What stages know of the anchors, in bits, and their laws; the prompt is a function of the anchors. */
export function stages({ strictness, noise, learning }, { prompt, closeness, loss }) {
  const answers = gibbs(closeness, strictness);
  const data = turned(answers, noise);
  const learned = compose(data, gibbs(loss.map((row) => row.map((one) => -one)), learning));
  return {
    prompt: entropy(prompt), answer: information(prompt, answers), data: information(prompt, data),
    parameters: information(prompt, learned), added: sum(prompt.map((p, i) => p * entropy(answers[i]))),
    laws: { answer: after(prompt, answers), data: after(prompt, data), parameters: after(prompt, learned) },
  };
}

/** @type {import("./figure.js").Figure} */
export const figure = {
  controls: ({ strictness, noise, learning }) => [
    { name: "strictness", label: "strictness of the prompt, β", values: [...STRICT, Infinity], start: strictness,
      say: (v) => (v === Infinity ? "a copier" : String(v)) },
    { name: "noise", label: "noise of curation (probability)", values: [0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6], start: noise },
    { name: "learning", label: "learner's λ", values: [0, 1, 2, 4, 6, 8, 12, 16, 24, 32], start: learning },
    { name: "stage", label: "law of", values: ["answer", "data", "parameters"], start: "data", choose: true },
  ],
  show(setting, data) {
    const here = stages(setting, data);
    const swept = STRICT.map((strictness) => stages({ ...setting, strictness }, data));
    const rising = (name, sign) => swept.slice(1).filter((one, i) => sign * (one[name] - swept[i][name]) > 1e-9).length;
    const said = (count) => `${count} of ${STRICT.length - 1} steps do, with the other settings as chosen`;
    const [more, less, follow] = [rising("answer", 1), rising("added", -1), rising("parameters", 1)];
    const all = STRICT.length - 1;
    const law = here.laws[setting.stage];
    const { task, model } = data.colors;
    const outline = data.task.flatMap((p, i) => [[i - 0.5, p], [i + 0.5, p]]);
    const [before, informed] = [here.answer, data.informed];
    return {
      values: {
        "anchor-bits-prompt": here.prompt, "anchor-bits-answer": here.answer, "anchor-bits-synthetic": here.data,
        "anchor-bits-parameters": here.parameters, "added-loosest": swept[0].added, "added-strictest": swept[all].added,
        "kept-strictest": swept[all].answer, "informed-before": before,
      },
      line: `Of the anchors the prompt keeps ${fixed(here.prompt, 3)} bits, the answer ${fixed(here.answer, 3)}, the data ` +
        `${fixed(here.data, 3)}, the parameters ${fixed(here.parameters, 3)}. Beyond the prompt the answer holds ${fixed(here.added, 3)} bits. ` +
        `The law of the ${setting.stage} is ${fixed(tv(law, data.task), 3)} from the task, in total variation.`,
      claims: {
        "strict-keeps": [more === all, said(more)],
        "strict-adds-less": [less === all, said(less)],
        "parameters-follow": [follow === all, said(follow)],
        "curator-breaks": [informed > before + 1e-9, `${fixed(before, 3)} bits in the answer, ${fixed(informed, 3)} in this curator's data`],
      },
      chart: {
        alt: `Law of the ${setting.stage}: ${law.map((p, i) => `${data.sectors[i]} ${fixed(p, 2)}`).join(", ")}`,
        x: { label: "wind direction", domain: [-0.6, 7.6], ticks: data.sectors.map((name, i) => [i, name]) },
        y: { label: "probability", domain: [0, 0.7] },
        marks: [
          ...law.map((p, at) => ({ kind: "bar", at, width: 0.8, layers: [[p, model]] })),
          { kind: "line", points: outline, color: "currentColor" },
        ],
        keys: [[model, `the ${setting.stage}`], ["currentColor", "the task", ""]],
      },
    };
  },
};
