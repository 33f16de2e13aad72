/**
 * An independent check of the book's certificates: it shares no code with the prover, in Python or on the page.
 *
 * A certificate says that a statement is a sum of basic inequalities and assumptions.  Here every measure is expanded
 * to joint entropies, the steps are multiplied and added with whole numbers of any size, and the sum must be the
 * statement, coefficient by coefficient.  A step counts as basic by its shape alone: a conditional entropy H(A|C), or
 * a conditional information I(A;B|C) of two groups, is never negative.
 *
 * @typedef {{statement: string, given: string[], copies?: string[],
 *            proofs: [string, string, string][][], chains?: object[][]}} Certificate
 * @typedef {{accepted: boolean, message: string, basic: number, assumptions: number, entropies: number,
 *            denominator: string, links: number}} Verdict
 */

// --- exact fractions --------------------------------------------------------------------------------------

const gcd = (a, b) => {
  while (b) [a, b] = [b, a % b];
  return a < 0n ? -a : a;
};

/** A fraction in lowest terms, [numerator, denominator > 0]. */
function ratio(n, d = 1n) {
  if (d === 0n) throw new Error("division by zero");
  const g = gcd(n, d) * (d < 0n ? -1n : 1n);
  return [n / g, d / g];
}

const plus = ([a, b], [c, d]) => ratio(a * d + c * b, b * d);
const times = ([a, b], [c, d]) => ratio(a * c, b * d);

/** "3", "-1/2" or "0.25" as a fraction. */
function number(text) {
  const found = /^\s*(-?)(\d*)(?:\.(\d*))?(?:\/(\d+))?\s*$/.exec(text);
  if (!found || !(found[2] || found[3])) throw new Error(`not a number: ${text}`);
  const digits = found[3] || "";
  const whole = BigInt((found[2] || "") + digits) * (found[1] ? -1n : 1n);
  return ratio(whole, 10n ** BigInt(digits.length) * BigInt(found[4] || 1));
}

// --- forms: the coefficient of each joint entropy, by the names of its variables -----------------------------

/** A set of names as a key. */
const key = (names) => [...new Set(names)].sort().join(",");

/** Add `factor` times one form to another, in place; no zeros are kept. */
function add(total, factor, form) {
  for (const [name, value] of form) {
    const sum = plus(total.get(name) || [0n, 1n], times(factor, value));
    if (sum[0] === 0n) total.delete(name);
    else total.set(name, sum);
  }
  return total;
}

const ONE = [1n, 1n];
const MINUS = [-1n, 1n];
const same = (a, b) => add(add(new Map(), ONE, a), MINUS, b).size === 0;

/** H of one group, I of two, the co-information of more, given a group: expanded to joint entropies. */
function expand(groups, given) {
  const form = new Map();
  for (let chosen = 1; chosen < 1 << groups.length; chosen++) {
    const some = groups.filter((_, i) => (chosen >> i) & 1);
    const sign = some.length % 2 ? ONE : MINUS;
    add(form, sign, new Map([[key([...some.flat(), ...given]), ONE]]));
    if (given.length) add(form, times(sign, MINUS), new Map([[key(given), ONE]]));
  }
  return form;
}

// --- reading -----------------------------------------------------------------------------------------------

const TOKEN =
  /\s*(?:(log\s+\d+|log\s*\|[^|]*\|)|(\d+\.?\d*|\.\d+)|([A-Za-z_]\w*'*)|(<=|>=|==|->|[-≤≥→=+*/(),;|]))/y;
const PLAIN = { "≤": "<=", "≥": ">=", "==": "=", "→": "->" };

function tokens(text) {
  const found = [];
  TOKEN.lastIndex = 0;
  while (text.slice(TOKEN.lastIndex).trim()) {
    const at = TOKEN.lastIndex;
    const match = TOKEN.exec(text);
    if (!match) throw new Error(`cannot read ${text.slice(at)}`);
    const [, log, digits, name, sign] = match;
    found.push(
      log ? { log: log.replace(/\s+/g, " ").replace("log |", "log|") }
      : digits ? { digits }
      : name ? { name }
      : { sign: PLAIN[sign] || sign },
    );
  }
  return found;
}

/** Reads a statement as a list of {form, relation}, each saying that form >= 0 or form = 0. */
class Reader {
  constructor(text) {
    [this.text, this.list, this.at] = [text, tokens(text), 0];
  }

  peek() {
    return this.list[this.at] || {};
  }

  take(sign) {
    if (this.peek().sign !== sign) return false;
    this.at++;
    return true;
  }

  need(sign) {
    if (!this.take(sign)) throw new Error(`expected ${sign} in ${this.text}`);
  }

  statement() {
    const chain = this.list.some((token) => token.sign === "->");
    const result = chain ? this.chain() : this.relations();
    if (this.at < this.list.length || !result.length) throw new Error(`cannot read ${this.text}`);
    return result;
  }

  chain() {
    const nodes = [this.group()];
    const result = [];
    while (this.take("->")) {
      nodes.push(this.group());
      const [before, last] = [nodes.slice(0, -2).flat(), nodes[nodes.length - 1]];
      if (before.length) {
        result.push({ form: expand([before, last], nodes[nodes.length - 2]), relation: "=" });
      }
    }
    return result;
  }

  relations() {
    const result = [];
    let left = this.side();
    for (;;) {
      const { sign } = this.peek();
      if (!["<=", ">=", "="].includes(sign)) return result;
      this.at++;
      const right = this.side();
      const [larger, smaller] = sign === "<=" ? [right, left] : [left, right];
      const form = add(add(new Map(), ONE, larger), MINUS, smaller);
      result.push({ form, relation: sign === "=" ? "=" : ">=", left, right, sign });
      left = right;
    }
  }

  /** A side of a relation; a number alone must be 0. */
  side() {
    const value = this.sum();
    if (value instanceof Map) return value;
    if (value[0] !== 0n) throw new Error(`a number alone in ${this.text}`);
    return new Map();
  }

  sum() {
    let total = this.term();
    for (;;) {
      const sign = this.take("+") ? ONE : this.take("-") ? MINUS : null;
      if (!sign) return total;
      const value = this.term();
      if (!(total instanceof Map) && !(value instanceof Map)) total = plus(total, times(sign, value));
      else total = add(add(new Map(), ONE, this.form(total)), sign, this.form(value));
    }
  }

  form(value) {
    if (value instanceof Map) return value;
    if (value[0] !== 0n) throw new Error(`a number is added to a measure in ${this.text}`);
    return new Map();
  }

  term() {
    let product = this.factor();
    for (;;) {
      const { sign, name, log } = this.peek();
      const implied = !(product instanceof Map) && (name || log || sign === "(");
      if (sign !== "*" && sign !== "/" && !implied) return product;
      if (!implied || sign === "*" || sign === "/") this.at++;
      let next = this.factor();
      if (sign === "/") {
        if (next instanceof Map) throw new Error(`division by a measure in ${this.text}`);
        next = ratio(next[1], next[0]);
      }
      if (product instanceof Map && next instanceof Map) throw new Error(`a product in ${this.text}`);
      if (next instanceof Map) product = add(new Map(), product, next);
      else product = product instanceof Map ? add(new Map(), next, product) : times(product, next);
    }
  }

  factor() {
    if (this.take("+")) return this.factor();
    if (this.take("-")) {
      const value = this.factor();
      return value instanceof Map ? add(new Map(), MINUS, value) : times(MINUS, value);
    }
    if (this.take("(")) {
      const value = this.sum();
      this.need(")");
      return value;
    }
    const { digits, log, name } = this.peek();
    this.at++;
    if (digits) return number(digits);
    if (log) return logarithm(log);
    if (name !== "H" && name !== "I") throw new Error(`expected a measure in ${this.text}`);
    return this.measure(name);
  }

  measure(name) {
    this.need("(");
    const groups = [this.group()];
    while (this.take(";")) groups.push(this.group());
    if ((name === "H") !== (groups.length === 1)) throw new Error(`a wrong number of groups in ${this.text}`);
    const given = this.take("|") ? this.group() : [];
    this.need(")");
    return expand(groups, given);
  }

  group() {
    const names = [];
    do {
      const { name } = this.peek();
      if (!name || name === "H" || name === "I") throw new Error(`expected a variable in ${this.text}`);
      names.push(name);
      this.at++;
    } while (this.take(","));
    return names;
  }
}

/** log 12 is 2 log 2 + log 3; log|A,B| is log|A| + log|B|: each a constant of its own. */
function logarithm(text) {
  const form = new Map();
  if (text.endsWith("|")) {
    for (const name of text.slice(4, -1).split(",")) add(form, ONE, new Map([[`log|${name.trim()}|`, ONE]]));
    return form;
  }
  let n = Number(text.slice(4));
  if (!(n >= 1 && n <= 1e6)) throw new Error(`the logarithm of ${n}`);
  for (let p = 2; n > 1; p++) {
    for (; n % p === 0; n /= p) add(form, ONE, new Map([[`log ${p}`, ONE]]));
  }
  return form;
}

const read = (text) => new Reader(text).statement();

/** A side of a relation as a form. */
function readForm(text) {
  const reader = new Reader(text);
  const form = reader.side();
  if (reader.at < reader.list.length) throw new Error(`cannot read ${text}`);
  return form;
}

// --- what a proof may use -----------------------------------------------------------------------------------

const GROUP = String.raw`\s*[A-Za-z_]\w*'*(?:\s*,\s*[A-Za-z_]\w*'*)*\s*`;
const MEASURE = new RegExp(
  String.raw`^\s*(?:H\(${GROUP}(?:\|${GROUP})?\)|I\(${GROUP};${GROUP}(?:\|${GROUP})?\)|log \d+|log\|${GROUP}\|)\s*$`,
);

/** Whether the text says of one measure that it is at least 0, or (with "=") that it is 0. */
function ofMeasure(text, relation = ">=") {
  const found = /^(.*?)(>=|=)\s*0\s*$/.exec(text);
  return found !== null && found[2] === relation && MEASURE.test(found[1]);
}

/** What is assumed, as constraints: the assumptions, what holds of copies, and H(A) <= log|A|. */
function premises(certificate) {
  const given = certificate.given.flatMap((text) => read(text).map((c) => ({ ...c, source: text })));
  const copies = certificate.copies || [];
  const names = new Set(
    [certificate.statement, ...certificate.given].flatMap((text) =>
      tokens(text).flatMap(({ name, log }) =>
        name && name !== "H" && name !== "I" ? [name]
        : log && log.endsWith("|") ? log.slice(4, -1).split(",").map((one) => one.trim())
        : [],
      ),
    ),
  );
  const bounds = [...names].map((name) => ({
    form: add(new Map([[`log|${name}|`, ONE]]), MINUS, new Map([[name, ONE]])),
    relation: ">=",
    source: "alphabet",
  }));
  return [...given, ...copies.flatMap((text) => copied(text, names)), ...bounds];
}

/**
 * "A' ~ A | B,C" adds a variable A' to any distribution: given B and C it is distributed as A, and independent of all
 * variables that there are (the copy lemma).  So A' with some of B, C has the entropy of A with them.
 */
function copied(text, names) {
  const parts = text.split(/[~|]/).map((part) => part.split(",").map((name) => name.trim()));
  if (parts.length !== 3 || parts[0].length !== parts[1].length) throw new Error(`not a copy: ${text}`);
  const [fresh, old, given] = parts;
  const all = [...fresh, ...old, ...given];
  if (new Set(all).size < all.length) throw new Error(`a name is twice in the copy ${text}`);
  if (fresh.some((name) => names.has(name))) throw new Error(`the copy ${text} is of a name that is taken`);
  if ([...old, ...given].some((name) => !names.has(name))) throw new Error(`the copy ${text} is of nothing`);
  const rest = [...names].filter((name) => !given.includes(name));
  const result = [{ form: expand([fresh, rest], given), relation: "=", source: text }];
  for (let i = 1; i < 1 << fresh.length; i++) {
    for (let j = 0; j < 1 << given.length; j++) {
      const with_ = given.filter((_, k) => (j >> k) & 1);
      const [one, other] = [fresh, old].map((side) => [...side.filter((_, k) => (i >> k) & 1), ...with_]);
      const form = add(expand([other], []), MINUS, expand([one], []));
      result.push({ form, relation: "=", source: text });
    }
  }
  for (const name of fresh) names.add(name);
  return result;
}

/** One step as a constraint, if the proof may use it with this multiplier; what it is, is noted. */
function allowed([text, multiplier], known, seen) {
  const list = read(text);
  if (list.length !== 1) throw new Error(`not one inequality: ${text}`);
  const [{ form, relation }] = list;
  const factor = number(multiplier);
  for (const name of form.keys()) seen.sets.add(name);
  seen.denominator = seen.denominator > factor[1] ? seen.denominator : factor[1];
  if (relation === ">=" && factor[0] < 0n) throw new Error(`${text} is taken a negative number of times`);
  if (ofMeasure(text)) {
    seen.basic++;
  } else {
    const premise = known.find((one) => one.relation === relation && same(one.form, form));
    if (!premise) throw new Error(`${text} is neither a basic inequality nor assumed`);
    seen.sources.add(premise.source);
  }
  return { form, relation, factor };
}

const note = () => ({ basic: 0, sources: new Set(), sets: new Set(), denominator: 1n });

/** The sum of some steps. */
function sumOf(steps, known, seen) {
  const total = new Map();
  for (const step of steps) {
    const { form, factor } = allowed(step, known, seen);
    add(total, factor, form);
  }
  return total;
}

/** The proof that is printed, link by link: each must change the expression by its step alone. */
function checkChain(chain, { left, right, sign }, known) {
  const links = chain.links;
  const start = readForm(chain.start);
  const end = readForm(links[links.length - 1][1]);
  const signs = new Set(links.map(([relation]) => relation).filter((relation) => relation !== "="));
  const forward = same(start, left) && same(end, right);
  const backward = sign === "=" && same(start, right) && same(end, left);
  const direction = sign === "=" && signs.size ? "<=" : sign;
  if (!(forward || backward) || [...signs].some((one) => one !== direction)) {
    throw new Error(`the printed proof does not lead from one side to the other: ${chain.start}`);
  }
  let before = start;
  for (const [relation, text, step, because] of links) {
    const after = readForm(text);
    const change = add(add(new Map(), ONE, after), MINUS, before);
    before = after;
    const seen = note();
    if (!step) {
      if (relation !== "=" || change.size) throw new Error(`not the same: ${text}`);
      continue;
    }
    if (relation === "=" && because.length) {
      // a measure that the assumptions make zero: the steps behind it sum to minus the measure
      const [{ form }] = read(step[0]);
      if (!ofMeasure(step[0], "=")) throw new Error(`no measure: ${step[0]}`);
      if (!same(sumOf(because, known, seen), add(new Map(), MINUS, form))) throw new Error(`not zero: ${step[0]}`);
      if (!same(change, add(new Map(), number(step[1]), form))) throw new Error(`another change: ${text}`);
      continue;
    }
    const used = allowed(step, known, seen);
    if (relation === "=" && used.relation !== "=") throw new Error(`not an equation: ${step[0]}`);
    const factor = relation === ">=" ? times(MINUS, used.factor) : used.factor;
    if (relation !== "=" && (used.factor[0] < 0n || used.relation !== ">=")) throw new Error(`no bound: ${step[0]}`);
    if (!same(change, add(new Map(), factor, used.form))) throw new Error(`another change: ${text}`);
  }
  return links.length;
}

const count = (n, one, many = `${one}s`) => `${n} ${n === 1 ? one : many}`;

/** What was done, in words. */
function words(seen, goals, links) {
  if (!seen.basic && !seen.sources.size) {
    return `both sides are the same combination of ${count(seen.sets.size, "joint entropy", "joint entropies")}`;
  }
  const parts = [count(seen.basic, "basic inequality", "basic inequalities")];
  if (seen.sources.size) parts.push(count(seen.sources.size, "assumption"));
  parts.push(count(seen.sets.size, "joint entropy", "joint entropies"), `largest denominator ${seen.denominator}`);
  const sum = goals > 1 ? `the ${goals} sums are the statement` : "the sum is the statement";
  const read = links ? `; the ${links === 1 ? "link of the printed proof holds" : `${links} links of the printed proof hold`}` : "";
  return `${parts.join(", ")}: ${sum}${read}`;
}

/**
 * Check a certificate.
 * @param {Certificate} certificate
 * @returns {Verdict}
 */
export function verify(certificate) {
  const seen = note();
  let links = 0;
  try {
    const constraints = read(certificate.statement);
    const known = premises(certificate);
    const goals = constraints.flatMap(({ form, relation }) =>
      relation === "=" ? [form, add(new Map(), MINUS, form)] : [form],
    );
    for (const { left, right, form } of constraints) {
      for (const side of [left, right, form]) for (const name of (side || new Map()).keys()) seen.sets.add(name);
    }
    if (certificate.proofs.length !== goals.length) throw new Error("a part of the statement has no proof");
    goals.forEach((goal, i) => {
      if (!same(sumOf(certificate.proofs[i], known, seen), goal)) throw new Error("the sum is not the statement");
    });
    (certificate.chains || []).forEach((chains, i) => {
      const relation = constraints[i].left ? constraints[i] : { left: constraints[i].form, right: new Map(), sign: "=" };
      for (const chain of chains) links += checkChain(chain, relation, known);
      const bounds = chains.some((chain) => chain.links.some(([sign]) => sign !== "="));
      const starts = new Set(chains.map((chain) => chain.start));
      if (relation.sign === "=" && bounds && starts.size < 2) throw new Error("an equation is proved in one direction");
    });
    return verdict(true, words(seen, goals.length, links), seen, links);
  } catch (error) {
    return verdict(false, error.message, seen, links);
  }
}

function verdict(accepted, message, seen, links) {
  return {
    accepted,
    message,
    basic: seen.basic,
    assumptions: seen.sources.size,
    entropies: seen.sets.size,
    denominator: String(seen.denominator),
    links,
  };
}

// --- counterexamples ------------------------------------------------------------------------------------------

/** The multiples of log p, for each prime p, that a form is: a value that is 0 only if each of them is. */
function logarithms(form, { names, outcomes, p }) {
  const chances = p.map(number);
  const d = chances.reduce((lcm, [, b]) => (lcm / gcd(lcm, b)) * b, 1n);
  const total = new Map();
  const addLog = (n, factor) => {
    for (const [name, value] of logarithm(`log ${n}`)) add(total, times(factor, value), new Map([[name, ONE]]));
  };
  for (const [set, coefficient] of form) {
    if (set.startsWith("log")) {
      const at = names.indexOf(set.slice(4, -1));
      addLog(set.endsWith("|") ? new Set(outcomes.map((row) => row[at])).size : set.slice(4), coefficient);
      continue;
    }
    const places = set.split(",").map((name) => names.indexOf(name));
    if (places.includes(-1)) throw new Error(`the distribution lacks a variable of ${set}`);
    const mass = new Map();
    outcomes.forEach((row, i) => {
      const cell = places.map((place) => row[place]).join(" ");
      mass.set(cell, (mass.get(cell) || 0n) + (chances[i][0] * d) / chances[i][1]);
    });
    addLog(d, coefficient);
    for (const n of mass.values()) addLog(n, times(coefficient, ratio(-n, d)));
  }
  return total;
}

/** In bits, up to rounding. */
const bits = (logs) =>
  [...logs].reduce((sum, [name, [n, d]]) => sum + (Number(n) / Number(d)) * Math.log2(Number(name.slice(4))), 0);

/**
 * Check that a distribution obeys the assumptions and breaks the statement.  Equations are checked without rounding:
 * with probabilities n/d, all is a sum of rational multiples of logarithms of primes, which is 0 only if each is.
 * @param {{statement: string, given: string[], names: string[], outcomes: number[][], p: string[]}} example
 * @returns {{accepted: boolean, message: string, violation: number}} the violation in bits
 */
export function refutes(example) {
  try {
    const total = example.p.map(number).reduce(plus, [0n, 1n]);
    if (total[0] !== 1n || total[1] !== 1n || example.p.some((p) => number(p)[0] <= 0n)) {
      throw new Error("the probabilities do not sum to 1");
    }
    const slack = ({ form, relation }) => {
      const logs = logarithms(form, example);
      if (!logs.size) return 0;
      const value = bits(logs);
      if (Math.abs(value) < 1e-9) throw new Error("too near to zero to tell its sign");
      return relation === "=" ? -Math.abs(value) : value;
    };
    for (const text of example.given) {
      if (read(text).some((one) => slack(one) < 0)) throw new Error(`the distribution does not obey ${text}`);
    }
    const worst = Math.min(...read(example.statement).map(slack));
    if (!(worst < 0)) throw new Error("the statement holds there");
    return { accepted: true, message: `violated by ${-worst} bit`, violation: -worst };
  } catch (error) {
    return { accepted: false, message: error.message, violation: 0 };
  }
}
