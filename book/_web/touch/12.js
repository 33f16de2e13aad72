/** Chapter 12: which candidate orders the gains, in one test language or on average over them, from the stored run. */
import { fixed, sum } from "./laws.js";

const ALL = -1;
const CHAIN = "difference of log-loss chains";
const THEORY = ["information gain", "GGMI, counting learner", "GGMI, by losses", "task divergence", "generation divergence", "sum of both"];
const COUNTED = ["share accepted", "number of records", "distinct records", "records unlike any anchor"];
const RECORDED = {
  "pred-gain": "information gain", "pred-useful": "useful gain", "pred-ggmi": "GGMI, counting learner",
  "pred-ggmi-losses": "GGMI, by losses", "pred-sum": "sum of both", "pred-direct": "direct divergence",
  "pred-log": "log divergence of the data", "pred-anchors": "log loss on the anchors", "pred-accepted": "share accepted",
  "pred-chain": CHAIN, "pred-all": "all together",
};

/** @type {import("./figure.js").Figure} */
export const figure = {
  controls: ({ rank }) => [
    { name: "candidate", label: "candidate", values: Object.keys(rank), start: CHAIN, choose: true },
    { name: "language", label: "language", values: [ALL, ...rank[CHAIN].map((_, i) => i)], start: ALL,
      say: (i) => (i === ALL ? "mean over all" : `number ${i + 1} of ${rank[CHAIN].length}`) },
  ],
  show({ candidate, language }, data) {
    const { task, truth, grey } = data.colors;
    const at = (list) => (language === ALL ? sum(list) / list.length : list[language]);
    const rank = (name) => at(data.rank[name]);
    const choice = (name) => at(data.choice[name]);
    const said = (value) => fixed(value, 2);
    const list = data.rank[candidate];
    const rival = Math.max(...THEORY.map(rank));
    const counted = Math.max(...COUNTED.map(choice));
    const where = language === ALL ? "on average over the test languages" : `in test language ${language + 1}`;
    const values = {};
    for (const [name, whose] of Object.entries(RECORDED)) {
      values[name] = sum(data.rank[whose]) / data.rank[whose].length;
      values[`${name}-choice`] = sum(data.choice[whose]) / data.choice[whose].length;
    }
    return {
      values,
      line: `${candidate[0].toUpperCase()}${candidate.slice(1)}, ${where}: rank correlation with the gain ${said(rank(candidate))}, ` +
        `and ${said(choice(candidate))} for given anchors.`,
      claims: {
        "pred-chain": [rank(CHAIN) > 0.8 && rank(CHAIN) > rival, `the chains have ${said(rank(CHAIN))}, the best of the others named ${said(rival)}`],
        "pred-ggmi": [rank("GGMI, counting learner") < 0 && rank("GGMI, by losses") < 0,
          `their correlations are ${said(rank("GGMI, counting learner"))} and ${said(rank("GGMI, by losses"))}`],
        "pred-little": [Math.abs(choice("information gain")) < 0.5 && Math.abs(choice("share accepted")) < 0.5,
          `they are ${said(choice("information gain"))} and ${said(choice("share accepted"))}`],
        "pred-practice": [choice("log loss on the anchors") > counted,
          `the loss has ${said(choice("log loss on the anchors"))}, the best count ${said(counted)}`],
      },
      chart: {
        alt: `Rank correlations of the candidate in ${list.length} languages; ${where} ${said(rank(candidate))}`,
        x: { label: "test language", domain: [-0.6, list.length - 0.4], ticks: list.map((_, i) => [i, String(i + 1)]) },
        y: { label: "rank correlation with the gain", domain: [-1, 1] },
        marks: [
          { kind: "line", points: [[-0.6, 0], [list.length - 0.4, 0]], color: grey },
          { kind: "line", points: [[-0.6, sum(list) / list.length], [list.length - 0.4, sum(list) / list.length]], color: task, dash: "6 4" },
          ...list.map((one, i) => ({ kind: "dot", at: [i, one], color: task, size: 4 })),
          ...(language === ALL ? [] : [{ kind: "rule", at: language }, { kind: "dot", at: [language, list[language]], color: truth, size: 7 }]),
        ],
        keys: [[task, "the candidate, and its mean", "6 4"], ...(language === ALL ? [] : [[truth, "the chosen language"]])],
      },
    };
  },
};
