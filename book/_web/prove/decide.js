/**
 * Decide a statement: a proof, a counterexample, or neither.  Runs in a worker; prove.js is what pages use.
 */

import { ExpressionError, latex, parse } from "./expr.js";
import { isZero, negative, ONE, toText } from "./fraction.js";
import { proof, ray, Space } from "./program.js";
import { search } from "./search.js";
import { isConstant, sidesOf } from "./sides.js";
import { refutes, verify } from "./verify.js";

export const VARIABLES = 9; // at most

const SHANNON = "Shannon";

/** Read the statement and the assumptions; an error says in which of the texts it is (0: the statement). */
export function read(statement, given) {
  return [statement, ...given].map((text, which) => {
    try {
      const parsed = parse(text);
      if (!parsed.variables.length && !which) {
        throw new ExpressionError(text, 0, "the statement says nothing: it has no variables");
      }
      return parsed;
    } catch (error) {
      if (error instanceof ExpressionError) error.which = which;
      throw error;
    }
  });
}

/** A linear form as text: one quantity where it is one, else joint entropies. */
function write(space, terms) {
  const sets = [...terms];
  const plus = sets.filter(([, k]) => k[0] > 0n);
  const minus = sets.filter(([, k]) => k[0] < 0n);
  const unit = sets.every(([set, [n, d]]) => d === 1n && (n === 1n || n === -1n) && set < 1 << space.names.length);
  if (unit && plus.length === 1 && minus.length <= 1) {
    const [u, c] = [plus[0][0], minus.length ? minus[0][0] : 0];
    if ((u & c) === c) return space.quantity([u, u, c]);
  }
  if (unit && plus.length === 2 && minus.length && minus.length <= 2) {
    const [u, v] = [plus[0][0], plus[1][0]];
    const rest = minus.map(([set]) => set);
    if (rest.includes(u | v) && ((u & v) === 0 ? rest.length === 1 : rest.includes(u & v))) {
      return space.quantity([u, v, u & v]);
    }
  }
  const size = ([set]) => (set >= 1 << space.names.length ? 0 : space.group(set).split(",").length);
  sets.sort((a, b) => size(a) - size(b) || a[0] - b[0]);
  const texts = sets.map(([set, k], i) => {
    const constant = space.constants[set - (1 << space.names.length)];
    const name = constant || `H(${space.group(set)})`;
    const positive = k[0] > 0n;
    const factor = toText(positive ? k : negative(k));
    return `${i ? (positive ? " + " : " - ") : positive ? "" : "-"}${factor === "1" ? "" : `${factor} `}${name}`;
  });
  return texts.join("") || "0";
}

/** The constraints of a parsed statement, by place. */
const placed = (space, parsed) =>
  parsed.constraints.map((c) => ({ terms: space.placed(c.form), relation: c.relation, source: c.source }));

/**
 * @param {string} statement
 * @param {string[]} given
 * @param {object} highs the solver
 * @param {number} seconds for the search for a counterexample
 * @returns {object} as prove.js documents
 */
export function decide(statement, given, highs, seconds = 2) {
  const began = performance.now();
  const [claim, ...assumptions] = read(statement, given);
  const all = [claim, ...assumptions];
  const names = [...new Set(all.flatMap(({ variables }) => variables))];
  if (names.length > VARIABLES) {
    const problem = `${names.length} variables: this page takes at most ${VARIABLES}`;
    throw Object.assign(new ExpressionError(statement, 0, problem), { which: 0 });
  }
  const forms = all.flatMap(({ constraints }) => constraints.map(({ form }) => form));
  const constants = [...new Set(forms.flatMap((form) => [...form.keys()].filter(isConstant)))].sort();
  const space = new Space(names, constants);
  const goals = placed(space, claim);
  const assumed = assumptions.flatMap((one) => placed(space, one));
  const alphabets = constants.filter((name) => name.endsWith("|")).map((name) => ({
    terms: new Map([[space.place(name), ONE], [space.place(name.slice(4, -1)), negative(ONE)]]),
    relation: ">=",
    source: "alphabet",
  }));
  const premises = [...assumed, ...alphabets];
  const asked = { statement: claim.text, given: assumptions.map(({ text }) => text) };
  const base = { ...asked, latex: claim.latex, givenLatex: assumptions.map((one) => one.latex) };
  const done = (answer) => ({ ...base, ...answer, seconds: (performance.now() - began) / 1000 });

  const proofs = [];
  let against = null;
  for (const { terms, relation } of goals) {
    for (const goal of relation === "=" ? [terms, minus(terms)] : [terms]) {
      const steps = goal.size ? proof(highs, space, premises, goal) : [];
      if (!steps) {
        against = goal;
        break;
      }
      proofs.push(steps.map(([column, m]) => step(space, column, m)));
    }
    if (against) break;
  }
  if (!against) {
    const certificate = { ...asked, proofs };
    const check = verify(certificate);
    if (!check.accepted) throw new Error(`a proof was found that does not pass its check: ${check.message}`);
    return done({ verdict: "proved", certificate, check, sums: sums(claim, proofs) });
  }

  let example = null;
  let check = null;
  const accept = ({ outcomes, weights }) => {
    const total = weights.reduce((a, b) => a + b, 0);
    const p = weights.map((w) => toText(reduced(w, total)));
    const candidate = { ...asked, names, outcomes: relabelled(outcomes), p };
    const answer = refutes(candidate);
    if (answer.accepted) [example, check] = [candidate, answer];
    return answer.accepted;
  };
  search(space, premises.slice(0, assumed.length), goals, accept, seconds);
  if (example) {
    const counterexample = example;
    return done({ verdict: "false", counterexample, check, violation: check.violation, sides: sidesOf(claim, example) });
  }
  const values = ray(highs, space, premises, against);
  return done({ verdict: "open", polymatroid: values && polymatroid(space, values), variables: names });
}

const minus = (terms) => new Map([...terms].map(([place, k]) => [place, negative(k)]));

function reduced(a, b) {
  const gcd = (x, y) => (y ? gcd(y, x % y) : x);
  const g = gcd(a, b);
  return [BigInt(a / g), BigInt(b / g)];
}

/** Values 0, 1, ... of each variable in order of appearance. */
function relabelled(outcomes) {
  const columns = outcomes[0].map((_, i) => {
    const seen = new Map();
    return outcomes.map((row) => seen.get(row[i]) ?? (seen.set(row[i], seen.size), seen.size - 1));
  });
  return outcomes.map((_, o) => columns.map((column) => column[o]));
}

/** A step as a certificate has it: the inequality, the multiplier, the reason. */
function step(space, { quantity, constraint, text, terms }, multiplier) {
  if (quantity) return [`${space.quantity(quantity)} >= 0`, toText(multiplier), SHANNON];
  if (text) return [text, toText(multiplier), SHANNON];
  return [`${write(space, terms)} ${constraint.relation} 0`, toText(multiplier), constraint.source];
}

/** Each sum in LaTeX: what is at least 0, and the steps, as the page lists them. */
function sums(claim, proofs) {
  const relations = claim.constraints.flatMap(({ relation }) => (relation === "=" ? [1, -1] : [1]));
  return proofs.map((steps, i) => ({
    sign: relations[i],
    steps: steps.map(([text, multiplier, reason]) => ({
      latex: latex(text.replace(/ >?= 0$/, "")),
      relation: /[^>]= 0$/.test(text) ? "=" : ">=",
      multiplier,
      reason,
      reasonLatex: reason === SHANNON || reason === "alphabet" ? "" : latex(reason),
    })),
  }));
}

/** The values of a polymatroid by set, for who wants to see it. */
function polymatroid(space, values) {
  const found = {};
  for (let s = 1; s < 1 << space.names.length; s++) if (!isZero(values[s])) found[space.group(s)] = toText(values[s]);
  return found;
}

