/** Chapter 13: practice behind verifiers that err, from the stored rounds: means over worlds. */
import { fixed } from "./laws.js";

/** The share of right answers among those that pass. */
export const odds = (right, accept, reject) => {
  const passed = right * (1 - reject);
  return passed / (passed + (1 - right) * accept);
};

/** @type {import("./figure.js").Figure} */
export const figure = {
  controls: ({ accepts, rejects, rounds }) => [
    { name: "accept", label: "wrong answers that it accepts (share)", values: accepts, start: 0.25 },
    { name: "reject", label: "right answers that it rejects (share)", values: rejects, start: 0.25 },
    { name: "round", label: "rounds of practice", values: Array.from({ length: rounds + 1 }, (_, i) => i), start: rounds },
  ],
  show({ accept, reject, round }, data) {
    const arm = data.arms[`${accept} ${reject}`];
    const { right } = arm;
    const last = data.rounds;
    const [base, end] = [right[0], right[last]];
    const said = arm.before.map((one) => odds(one, accept, reject)).reduce((a, b) => a + b, 0) / arm.before.length;
    const factor = accept ? (1 - reject) / accept : Infinity;
    const ideal = right.map((_, t) => (accept ? odds(base, accept ** t, 1 - (1 - reject) ** t) : t ? 1 : base));
    const { task, grey, curated } = data.colors;
    return {
      values: { "st-exact": data.arms["0 0"].right[last], "st-quarter": data.arms["0.25 0.25"].right[last],
        "st-bad": data.arms["0.75 0.5"].right[last], "st-blind": data.arms["0.5 0.5"].right[last], "st-base": base, "st-raw": data.raw[last] },
      line: `The odds are multiplied by ${accept ? fixed(factor, 2) : "more than any number"}. After ${round} rounds models are right ` +
        `with probability ${fixed(right[round], 3)}; the base was at ${fixed(base, 3)}, and without curation they are at ${fixed(data.raw[round], 3)}.`,
      claims: {
        "st-verified": [end > base, `with your verifier models end at ${fixed(end, 3)}, from ${fixed(base, 3)}`],
        "st-odds": [Math.abs(arm.data - said) < 0.05, `data of the first round ${fixed(arm.data, 3)}, the proposition says ${fixed(said, 3)}`],
      },
      chart: {
        alt: `Right after 0 to ${last} rounds: ${right.map((one) => fixed(one, 2)).join(", ")}`,
        x: { label: "rounds of practice", domain: [0, last], ticks: right.map((_, i) => [i, String(i)]) },
        y: { label: "P(right)", domain: [0, 1] },
        marks: [
          { kind: "rule", at: round },
          { kind: "line", points: ideal.map((one, i) => [i, one]), color: curated, dash: "2 3" },
          { kind: "line", points: data.raw.map((one, i) => [i, one]), color: grey, dash: "6 4" },
          { kind: "line", points: right.map((one, i) => [i, one]), color: task },
          { kind: "dot", at: [round, right[round]], color: task, size: 6 },
        ],
        keys: [[task, "your verifier", ""], [grey, "no curation", "6 4"], [curated, "if students were as right as their data", "2 3"]],
      },
    };
  },
};
