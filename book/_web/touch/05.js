/** Chapter 5: what each stage knows of its sources, the gain, the flow and its bound, as strictness, noise and learner vary. */
import { after, compared, compose, entropy, fixed, gibbs, information, roll, sum, turned } from "./laws.js";

/**
 * What prompt, model and curation tell a stage, and the account of the flow; in bits.
 * The turn e_M has one law for all prompts, so I(V;e_p), I(V;e_M|e_p) and I(V;eps|e_p,e_M) are channel capacities' sums.
 */
export function account({ strictness, noise, learning }, { prompt, closeness, loss }) {
  const answers = gibbs(closeness, strictness);
  const learned = gibbs(loss.map((row) => row.map((one) => -one)), learning);
  const data = turned(answers, noise);
  const read = turned(loss.map((_, i) => roll([1, ...loss.slice(1).map(() => 0)], i)), noise); // data given the answer
  const models = compose(read, learned); // parameters given the answer
  const mean = (law, rows) => sum(law.map((p, i) => p * entropy(rows[i])));
  const exactly = (rows) => sum(prompt.map((p, i) => p * mean(answers[i], rows))); // mean entropy given the answer
  const answer = after(prompt, answers);
  const gain = mean(prompt, answers);
  const stage = (rows, givenAnswer, givenAll) => {
    const known = [entropy(after(prompt, rows)) - mean(prompt, rows)];
    known.push(mean(prompt, rows) - givenAnswer, givenAnswer - givenAll);
    return known;
  };
  const whole = sum(after(answer, read).map((p, i) => p * entropy(learned[i])));
  const stages = {
    prompt: [entropy(prompt), 0, 0],
    answer: stage(answers, 0, 0),
    data: stage(data, exactly(read), 0),
    parameters: stage(compose(answers, models), exactly(models), whole),
  };
  const law = answers[0]; // of the turn
  const byTurn = law.map((_, turn) => after(prompt, prompt.map((_, p) => models[(p + turn) % law.length])));
  const model = information(law, byTurn);
  const [task, conditional, curation] = stages.parameters;
  const flow = sum(stages.parameters);
  const price = information(answer, models); // I(X;W)
  const remembered = flow - price; // I(eps;W|X), as W depends on the data alone
  const dependence = conditional - model;
  const bound = -gain + task + model + entropy(law) + remembered + dependence;
  return { stages, gain, answer: entropy(answer), flow, task, model, dependence, curation, bound };
}

const NOISES = [0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6];
const STRICT = [0, 0.25, 0.5, 1, 1.5, 2, 3, 4, 6, 8, 12, 16];

/** @type {import("./figure.js").Figure} */
export const figure = {
  controls: ({ strictness, noise, learning }) => [
    { name: "strictness", label: "strictness of the prompt, β", values: [...STRICT, Infinity], start: strictness,
      say: (v) => (v === Infinity ? "a copier" : String(v)) },
    { name: "noise", label: "noise of curation (probability)", values: NOISES, start: noise },
    { name: "learning", label: "learner's λ", values: [0, 1, 2, 4, 6, 8, 12, 16, 24, 32], start: learning },
  ],
  show(setting, data) {
    const found = account(setting, data);
    const { stages, gain, flow } = found;
    const total = Object.fromEntries(Object.entries(stages).map(([name, parts]) => [name, sum(parts)]));
    const { task, model, curated } = data.colors;
    const names = Object.keys(stages);
    const along = (name, values) => values.map((value) => account({ ...setting, [name]: value }, data));
    const [noisier, stricter] = [along("noise", NOISES), along("strictness", STRICT)];
    const steps = (list, good) => list.slice(1).filter((one, i) => good(list[i], one)).length;
    const raised = steps(noisier, (a, b) => b.flow - a.flow > 1e-9 && a.flow - a.curation - b.flow + b.curation > 1e-9);
    const lowered = steps(stricter, (a, b) => a.flow - b.flow > 1e-9);
    const lessGain = steps(stricter, (a, b) => a.gain - b.gain > 1e-9);
    const values = {
      "flow-gain-bits": gain, "flow-answer-bits": found.answer, "flow-default": flow,
      "flow-part-prompt": found.task, "flow-part-model": found.model,
      "flow-part-dependence": found.dependence, "flow-part-curation": found.curation,
      "flow-seen-prompt": total.prompt, "flow-seen-answer": total.answer, "flow-seen-data": total.data,
      "flow-seen-parameters": total.parameters, "flow-seen-parameters-model": stages.parameters[1],
      "flow-seen-data-curation": stages.data[2],
    };
    const many = (count, list) => `${count} of ${list.length - 1} steps do, with the other settings as chosen`;
    return {
      values,
      line: `Gain ${fixed(gain, 3)} bits; flow ${fixed(flow, 3)} bits; the bound with the gain in it allows ${fixed(found.bound, 3)}. ` +
        `Of the flow ${fixed(found.task, 3)} are about the prompt, ${fixed(found.model, 3)} about the model's factor, ` +
        `${fixed(found.dependence, 3)} dependence given W, ${fixed(found.curation, 3)} curation.`,
      claims: {
        "flow-widens": [total.answer > total.prompt + 1e-9,
          `the answer has ${fixed(total.answer, 2)} bits, the prompt ${fixed(total.prompt, 2)}`],
        "flow-narrows": [total.parameters < total.data / 2,
          `parameters ${fixed(total.parameters, 2)}, half of the data ${fixed(total.data / 2, 2)} bits`],
        "flow-falls-strict": [lowered === STRICT.length - 1, many(lowered, stricter)],
        "flow-gain-falls-strict": [lessGain === STRICT.length - 1, many(lessGain, stricter)],
        "flow-noise-raises": [raised === NOISES.length - 1, many(raised, noisier)],
      },
      chart: {
        alt: names.map((name) => `${name} ${fixed(total[name], 2)} bits`).join(", "),
        x: { label: "stage", domain: [-0.6, 3.6], ticks: names.map((name, i) => [i, name]) },
        y: { label: "known of the sources (bits)", domain: [0, 6] },
        marks: [
          ...names.map((name, at) => ({ kind: "bar", at, layers: stages[name].map((part, i) => [part, [task, model, curated][i]]) })),
          ...names.map((name, i) => ({ kind: "text", at: [i, total[name]], text: fixed(total[name], 2) })),
        ],
        keys: [[task, "the prompt"], [model, "the model"], [curated, "curation"]],
      },
    };
  },
};
