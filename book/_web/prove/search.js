/**
 * A small search for distributions that obey the assumptions and break the statement.
 *
 * A finite distribution is a list of outcomes with weights; a variable is a partition of the outcomes, and a group of
 * variables is the common refinement.  The search goes through families of partitions that are closed under it:
 * linear functions of a few fair bits (or of fair three-sided dice), then all partitions of few outcomes, with equal
 * and with unequal weights.  Each variable is chosen in turn; an assumption is checked as soon as all of its variables
 * are chosen.  That nothing is found proves nothing.
 */

import { toNumber } from "./fraction.js";
import { generator } from "./random.js";

const CLEAR = 1e-7; // bits; what is less counts as zero here, and is checked exactly afterwards

/** A labelling with the labels in order of appearance. */
function settled(labels) {
  const seen = new Map();
  return labels.map((label) => seen.get(label) ?? (seen.set(label, seen.size), seen.size - 1));
}

/** Partitions closed under common refinement, the coarser first, with a table of refinements. */
class Family {
  constructor(partitions) {
    const blocks = (p) => Math.max(...p);
    this.partitions = [...new Map(partitions.map((p) => [settled(p).join(), settled(p)])).values()];
    this.partitions.sort((a, b) => blocks(a) - blocks(b));
    this.index = new Map(this.partitions.map((p, i) => [p.join(), i]));
    this.table = new Int16Array(this.partitions.length ** 2).fill(-1);
  }

  get size() {
    return this.partitions.length;
  }

  join(a, b) {
    const at = a * this.size + b;
    if (this.table[at] < 0) {
      const other = this.partitions[b];
      const both = settled(this.partitions[a].map((x, i) => x * 64 + other[i]));
      this.table[at] = this.index.get(both.join());
    }
    return this.table[at];
  }

  /** The entropy of each partition in bits. */
  entropies(weights) {
    const total = weights.reduce((a, b) => a + b, 0);
    return this.partitions.map((partition) => {
      const mass = [];
      partition.forEach((block, i) => (mass[block] = (mass[block] || 0) + weights[i] / total));
      return mass.reduce((h, p) => h - p * Math.log2(p), 0);
    });
  }
}

/** All partitions of m outcomes. */
function allPartitions(m) {
  let found = [[0]];
  for (let i = 1; i < m; i++) {
    found = found.flatMap((p) => Array.from({ length: Math.max(...p) + 2 }, (_, block) => [...p, block]));
  }
  return new Family(found);
}

/** The linear functions of k independent fair digits 0 to q-1, and all groups of these. */
function linear(q, k) {
  const points = Array.from({ length: q ** k }, (_, x) => Array.from({ length: k }, (_, i) => Math.floor(x / q ** i) % q));
  const functionals = points.map((a) => points.map((x) => a.reduce((s, c, i) => s + c * x[i], 0) % q));
  const found = new Map();
  let latest = [points.map(() => 0)];
  while (latest.length) {
    const next = [];
    for (const p of latest) {
      const name = p.join();
      if (found.has(name)) continue;
      found.set(name, p);
      for (const f of functionals) next.push(settled(p.map((x, i) => x * q + f[i])));
    }
    latest = next;
  }
  return new Family([...found.values()]);
}

/** Constraints with numbers, each with the last variable, in the order of choice, that it speaks of. */
function compile(space, constraints) {
  const n = space.names.length;
  return constraints.map(({ terms, relation }) => {
    const list = [...terms].map(([place, k]) => {
      if (place < 1 << n) return { mask: place, k: toNumber(k) };
      const constant = space.constants[place - (1 << n)];
      const alphabet = constant.endsWith("|") ? space.names.indexOf(constant.slice(4, -1)) : -1;
      return { mask: alphabet >= 0 ? 1 << alphabet : 0, alphabet, constant, k: toNumber(k) };
    });
    return { list, relation, mask: list.reduce((all, { mask }) => all | mask, 0) };
  });
}

/** An order of the variables in which constraints are complete early. */
function ordered(n, constraints) {
  const [order, chosen] = [[], new Set()];
  while (order.length < n) {
    let best = null;
    for (const { mask } of constraints) {
      const missing = [];
      for (let i = 0; i < n; i++) if ((mask >> i) & 1 && !chosen.has(i)) missing.push(i);
      if (missing.length && (!best || missing.length < best.length)) best = missing;
    }
    const next = best ? best : Array.from({ length: n }, (_, i) => i).filter((i) => !chosen.has(i));
    for (const i of next) {
      order.push(i);
      chosen.add(i);
    }
  }
  return order;
}

/**
 * @param {import("./program.js").Space} space
 * @param {object[]} premises constraints by place, as {terms, relation}
 * @param {object[]} goals the statement's constraints
 * @param {(candidate: {outcomes: number[][], weights: number[]}) => boolean} accept an exact check
 * @param {number} seconds how long to search
 */
export function search(space, premises, goals, accept, seconds) {
  const n = space.names.length;
  const assumed = compile(space, premises);
  const claimed = compile(space, goals);
  const order = ordered(n, [...assumed, ...claimed]);
  const rank = Array(n);
  order.forEach((variable, at) => (rank[variable] = at));
  const due = Array.from({ length: n }, () => []);
  for (const constraint of assumed) {
    let last = 0;
    for (let i = 0; i < n; i++) if ((constraint.mask >> i) & 1) last = Math.max(last, rank[i]);
    due[last].push(constraint);
  }
  const end = performance.now() + 1000 * seconds;
  const random = generator(20250206);
  const element = new Int32Array(1 << n);

  /** One family with one choice of weights: exhaustive up to `most` nodes, or that many at random. */
  function run(family, weights, most) {
    const h = family.entropies(weights);
    const value = ({ list }) =>
      list.reduce((total, { mask, k, constant, alphabet }) => {
        if (!constant) return total + k * h[element[mask]];
        if (alphabet < 0) return total + k * Math.log2(Number(constant.slice(4)));
        return total + k * Math.log2(Math.max(...family.partitions[element[mask]]) + 1);
      }, 0);
    const breaks = (c) => (c.relation === "=" ? Math.abs(value(c)) > CLEAR : value(c) < -CLEAR);
    const shuffled = family.size ** n > most;
    let [nodes, limit, leaves, found] = [0, most, 0, null];
    element[0] = family.index.get(family.partitions[0].join());

    function choose(at) {
      if (at === n) {
        leaves++;
        if (!claimed.some(breaks)) return false;
        const chosen = Array.from({ length: n }, (_, i) => family.partitions[element[1 << i]]);
        const candidate = merged(weights.map((w, o) => [chosen.map((p) => p[o]), w]));
        if (!accept(candidate)) return false;
        found = candidate;
        return true;
      }
      const bit = 1 << order[at];
      const earlier = order.slice(0, at).reduce((mask, i) => mask | (1 << i), 0);
      const start = shuffled ? Math.floor(random() * family.size) : 0;
      const stride = shuffled ? coprime(1 + Math.floor(random() * (family.size - 1)), family.size) : 1;
      for (let i = 0; i < family.size; i++) {
        const e = (start + i * stride) % family.size;
        if (++nodes > limit || (nodes % 256 === 0 && performance.now() > end)) return false;
        for (let s = earlier; ; s = (s - 1) & earlier) {
          element[s | bit] = family.join(element[s], e);
          if (!s) break;
        }
        if (due[at].some(breaks)) continue;
        if (choose(at + 1)) return true;
        if (shuffled && leaves >= 8) return false;
      }
      return false;
    }

    if (!shuffled) {
      choose(0);
      return found;
    }
    let used = 0;
    while (used < most && performance.now() < end && !found) {
      [nodes, leaves, limit] = [0, 0, 40 * n * family.size];
      choose(0);
      used += Math.max(nodes, 1);
    }
    return found;
  }

  for (const [family, weights, most] of worlds(random)) {
    const found = run(family, weights, most);
    if (found) return found;
    if (performance.now() > end) return null;
  }
  return null;
}

function coprime(a, b) {
  const gcd = (x, y) => (y ? gcd(y, x % y) : x);
  while (gcd(a, b) > 1) a = (a % b) + 1;
  return a;
}

/** Outcomes that agree in all variables are one. */
function merged(rows) {
  const found = new Map();
  for (const [outcome, weight] of rows) {
    const name = outcome.join();
    found.set(name, [outcome, (found.get(name)?.[1] || 0) + weight]);
  }
  const list = [...found.values()].sort(([a], [b]) => a.map((x, i) => x - b[i]).find((d) => d) || 0);
  return { outcomes: list.map(([outcome]) => outcome), weights: list.map(([, weight]) => weight) };
}

const UNEQUAL = {
  3: [[1, 1, 2], [1, 2, 4], [1, 1, 8]],
  4: [[3, 1, 1, 3], [1, 1, 1, 3], [1, 3, 3, 9], [7, 3, 3, 7], [1, 2, 3, 4], [1, 1, 1, 13], [1, 1, 2, 4], [1, 9, 9, 81]],
  5: [[1, 1, 1, 1, 1], [1, 1, 1, 1, 4], [4, 1, 1, 1, 1], [2, 1, 1, 2, 3]],
};
const made = new Map();

function family(name, make) {
  if (!made.has(name)) made.set(name, make());
  return made.get(name);
}

/** The families in the order in which they are tried, with weights and a number of nodes; random ones at the end. */
function* worlds(random) {
  const equal = (f) => Array(f.partitions[0].length).fill(1);
  for (const [q, k, most] of [[2, 1, 3e4], [2, 2, 3e5], [2, 3, 4e5], [3, 2, 1e5]]) {
    const f = family(`linear ${q} ${k}`, () => linear(q, k));
    yield [f, equal(f), most];
  }
  const of = (m) => family(`all ${m}`, () => allPartitions(m));
  for (const m of [3, 4]) {
    yield [of(m), Array(m).fill(1), 2e5];
    for (const weights of UNEQUAL[m]) yield [of(m), weights, 1e5];
  }
  const wide = family("linear 2 4", () => linear(2, 4));
  yield [wide, equal(wide), 2e5];
  for (const weights of UNEQUAL[5]) yield [of(5), weights, 1e5];
  for (;;) {
    const m = 3 + Math.floor(3 * random());
    const some = Array.from({ length: m }, () => 1 + Math.floor(12 * random() ** 2));
    const [a, b] = [1 + Math.floor(9 * random()), 1 + Math.floor(9 * random())];
    yield [of(m), some, 4e4];
    yield [of(4), [a * b, a * (10 - b), (10 - a) * b, (10 - a) * (10 - b)], 4e4];
  }
}
