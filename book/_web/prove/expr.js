/**
 * The book's expression language on the page: the same grammar, and the same hints, as the book's Python package.
 *
 *     statement  =  sum (("<=" | ">=" | "=") sum)+   |   group ("->" group)("->" group)+
 *     sum        =  term (("+" | "-") term)*
 *     term       =  factor ("*" factor | "/" factor | factor)*
 *     factor     =  ("+" | "-")* (number | "(" sum ")" | quantity | "log" integer | "log|" group "|")
 *     quantity   =  "H(" group ["|" group] ")"   |   "I(" group (";" group)+ ["|" group] ")"
 *     group      =  name ("," name)*
 *
 * @typedef {import("./fraction.js").Fraction} Fraction
 * @typedef {Map<string, Fraction>} Form coefficients of joint entropies, by the sorted names of their variables
 * @typedef {{form: Form, relation: ">=" | "=", larger: Form, smaller: Form, sign: string, source: string}} Constraint
 * @typedef {{text: string, latex: string, constraints: Constraint[], variables: string[]}} Statement
 */

import { ONE, fraction, fromText, inverse, isZero, negative, product, sum } from "./fraction.js";

/** A text that is no statement: what is wrong, what would be right, and where. */
export class ExpressionError extends Error {
  /** @param {string} text @param {number} position an index into the text @param {string} problem */
  constructor(text, position, problem) {
    super(problem);
    [this.name, this.text, this.position] = ["ExpressionError", text, position];
  }
}

const NAME = String.raw`[A-Za-z_][A-Za-z0-9_]*'*`;
const TOKEN = new RegExp(
  [
    String.raw`(?<space>(?:\s|\\[,;:! ]|\\(?:q?quad|left|right|[bB]igg?[lr]?)(?![A-Za-z]))+)`,
    String.raw`(?<independent>⊥+|⫫|_\|_|\|\||\\perp\b|\b(?:indep|independent)(?=\s+[A-Za-z]))`,
    String.raw`(?<constant>\\?\blog(?:\s+\d+|\s*\(\s*\d+\s*\)|\s*\|\s*${NAME}(?:\s*,\s*${NAME})*\s*\|)(?!\w))`,
    String.raw`(?<number>\d+\.?\d*|\.\d+|\\[td]?frac\{\d+\}\{0*[1-9]\d*\})`,
    String.raw`(?<sign>[<>=]=|->|[≤≥→=+\-*/(),;|]|\\(?:leq?|geq?|mid|vert|to|rightarrow|cdot)(?![A-Za-z]))`,
    String.raw`(?<name>(?:(?:\\[A-Za-z]+\{[A-Za-z]\w*\}|\\[A-Za-z]+|[A-Za-z]\w*?)(?:_\{[\w,\\]+(?:\{\w+\})?\}|_\w+)` +
      String.raw`|\\[A-Za-z]+\{[A-Za-z]\w*\}|\\[A-Za-z]+|[A-Za-z_]\w*)(?:['′’″]|\^\\prime|\^\{\\prime\})*)`,
    String.raw`(?<bad>[^])`,
  ].join("|"),
  "g",
);
const SYNONYMS = {
  "≤": "<=", "≥": ">=", "==": "=", "→": "->", "\\cdot": "*", "\\mid": "|", "\\vert": "|", "\\le": "<=",
  "\\leq": "<=", "\\ge": ">=", "\\geq": ">=", "\\to": "->", "\\rightarrow": "->",
};
const RELATIONS = ["<=", ">=", "="];
const DEPTH = 100;

/** A token as the language writes it: LaTeX's \leq as <=, X_{1} as X_1. */
function plain(kind, text) {
  if (kind === "number" && text.includes("frac")) return text.match(/\d+/g).join("/");
  if (kind === "constant") {
    const inside = text.replace(/^\\/, "").slice(3).match(new RegExp(`${NAME}|\\d+`, "g")).join(",");
    return text.includes("|") ? `log|${inside}|` : `log ${inside}`;
  }
  if (kind === "name") {
    return text
      .replace(/′|’|\^\{\\prime\}|\^\\prime/g, "'")
      .replace(/″/g, "''")
      .replace(/\\(?:mathrm|mathit|mathsf|text|operatorname)(?=\{)|[{}]/g, "")
      .replace(/\\varepsilon/g, "eps")
      .replace(/\\var/g, "")
      .replace(/\\/g, "")
      .replace(/,/g, "_");
  }
  return SYNONYMS[text] || text;
}

/** The variables that a token names: itself, or those of whose alphabets it is the logarithm. */
function named({ kind, text }) {
  if (kind === "constant") return text.endsWith("|") ? text.slice(4, -1).split(",") : [];
  return kind === "name" && text !== "H" && text !== "I" ? [text] : [];
}

const show = (token) => (token.text ? `'${token.text}'` : "the end");

function tokenize(text) {
  const found = [];
  const open = [];
  for (const match of text.matchAll(TOKEN)) {
    const [kind, raw] = Object.entries(match.groups).find(([, value]) => value !== undefined);
    const start = match.index;
    const symbol = plain(kind, raw);
    if (kind === "space") continue;
    if (kind === "independent") {
      throw new ExpressionError(
        text, start, `'${symbol}' is not in the language: write I(A;B) = 0 for independence, and I(A;B|C) = 0 given C`,
      );
    }
    if (kind === "bad") {
      const hint = "<>".includes(symbol) ? `: write '${symbol}='` : "";
      throw new ExpressionError(text, start, `unknown character '${symbol}'${hint}`);
    }
    if (symbol === "(") open.push(start);
    if (open.length > DEPTH) throw new ExpressionError(text, start, `parentheses are nested deeper than ${DEPTH} levels`);
    if (symbol === ")" && open.pop() === undefined) {
      throw new ExpressionError(text, start, "unbalanced ')': no '(' opens it");
    }
    found.push({ kind, text: symbol, start, end: start + raw.length });
  }
  if (open.length) throw new ExpressionError(text, open.pop(), "unbalanced '(': no ')' closes it");
  return [...found, { kind: "end", text: "", start: text.length, end: text.length }];
}

// --- forms ---------------------------------------------------------------------------------------------------

/** The sum of forms, each times a factor; without zeros. */
export function combine(...terms) {
  const total = new Map();
  for (const [factor, form] of terms) {
    for (const [set, k] of form) {
      const value = sum(total.get(set) || [0n, 1n], product(factor, k));
      if (isZero(value)) total.delete(set);
      else total.set(set, value);
    }
  }
  return total;
}

const MINUS = negative(ONE);
const setOf = (names) => [...new Set(names)].sort().join(",");

/** H of one group, I of two, co-information of more, by inclusion and exclusion. */
export function information(groups, given = []) {
  const terms = [];
  for (let chosen = 1; chosen < 1 << groups.length; chosen++) {
    const some = groups.filter((_, i) => (chosen >> i) & 1);
    const sign = some.length % 2 ? ONE : MINUS;
    terms.push([sign, new Map([[setOf([...some.flat(), ...given]), ONE]])]);
    if (given.length) terms.push([negative(sign), new Map([[setOf(given), ONE]])]);
  }
  return combine(...terms);
}

// --- the parser: recursive descent, a method for each rule ---------------------------------------------------------

class Parser {
  constructor(text) {
    [this.text, this.tokens, this.index] = [text, tokenize(text), 0];
  }

  get token() {
    return this.tokens[this.index];
  }

  take() {
    return this.tokens[this.index++];
  }

  accept(...symbols) {
    return symbols.includes(this.token.text) && this.token.kind !== "end" ? this.take() : null;
  }

  fail(token, problem) {
    throw new ExpressionError(this.text, token.start, problem);
  }

  statement() {
    const links = this.tokens.filter(({ text }) => RELATIONS.includes(text) || text === "->");
    for (const link of links) {
      if ((link.text === "->") !== (links[0].text === "->")) {
        this.fail(link, "a chain '->' and a relation cannot be mixed: write two statements");
      }
    }
    const constraints = links.length && links[0].text === "->" ? this.chain() : this.relations();
    const variables = [...new Set(this.tokens.flatMap(named))];
    const text = written(this.tokens);
    return { text, latex: typeset(this.tokens), constraints, variables };
  }

  chain() {
    const nodes = [this.group()];
    const constraints = [];
    while (this.accept("->")) {
      nodes.push(this.group());
      if (nodes.length > 2) {
        const form = information([nodes.slice(0, -2).flat(), nodes[nodes.length - 1]], nodes[nodes.length - 2]);
        const source = this.source(0);
        constraints.push({ form, relation: "=", larger: form, smaller: new Map(), sign: "=", source });
      }
    }
    if (this.token.kind !== "end") this.fail(this.token, `expected ',' or '->', not ${show(this.token)}`);
    const seen = new Set();
    for (const token of this.tokens) {
      for (const name of named(token)) {
        if (seen.has(name)) this.fail(token, `'${name}' is in this chain twice: a chain has each variable once`);
        seen.add(name);
      }
    }
    if (!constraints.length) {
      this.fail(this.token, "a chain needs three nodes, as in 'A -> B -> C': two nodes say nothing");
    }
    return constraints;
  }

  relations() {
    const constraints = [];
    let [start, left] = [this.index, this.side()];
    for (let relation; (relation = this.accept(...RELATIONS)); ) {
      const middle = this.index;
      const right = this.side(relation);
      const [larger, smaller] = relation.text === "<=" ? [right, left] : [left, right];
      const form = combine([ONE, larger], [MINUS, smaller]);
      const source = this.source(start);
      constraints.push({ form, relation: relation.text === "=" ? "=" : ">=", larger, smaller, sign: relation.text, source });
      [start, left] = [middle, right];
    }
    if (!constraints.length) {
      this.fail(this.token, "a statement needs a relation <=, >= or =, or a chain 'A -> B -> C'");
    }
    return constraints;
  }

  /** What was read since a token, as text. */
  source(start) {
    return written(this.tokens.slice(start, this.index));
  }

  side(relation = null) {
    const start = this.token;
    if (RELATIONS.includes(start.text) || (relation && start.kind === "end")) {
      this.fail(relation || start, `one side of ${show(relation || start)} is missing: write 0 for zero`);
    }
    const value = this.sum();
    if (this.token.kind !== "end" && !RELATIONS.includes(this.token.text)) {
      this.fail(this.token, `expected '+', '-', a relation or the end, not ${show(this.token)}`);
    }
    return this.form(value, start);
  }

  form(value, start) {
    if (value instanceof Map) return value;
    if (!isZero(value)) {
      this.fail(start, "a constant alone has no unit: multiply it with a quantity (only 0 needs none)");
    }
    return new Map();
  }

  sum() {
    const first = this.token;
    let total = this.term();
    for (let operator; (operator = this.accept("+", "-")); ) {
      const second = this.token;
      const value = this.term();
      const sign = operator.text === "+" ? ONE : MINUS;
      if (!(total instanceof Map) && !(value instanceof Map)) total = sum(total, product(sign, value));
      else total = combine([ONE, this.form(total, first)], [sign, this.form(value, second)]);
    }
    return total;
  }

  opensFactor() {
    return this.token.kind === "name" || this.token.kind === "constant" || this.token.text === "(";
  }

  term() {
    let value = this.factor();
    while (["*", "/"].includes(this.token.text) || (!(value instanceof Map) && this.opensFactor())) {
      const operator = this.token;
      this.accept("*", "/");
      const second = this.token;
      let next = this.factor();
      if (operator.text === "/") {
        if (next instanceof Map || isZero(next)) {
          this.fail(second, "division by a quantity or by zero: a divisor is a number other than 0");
        }
        next = inverse(next);
      }
      if (!(next instanceof Map)) value = value instanceof Map ? combine([next, value]) : product(value, next);
      else if (!(value instanceof Map)) value = combine([value, next]);
      else this.fail(operator, "product of two quantities: one of the factors must be a number");
    }
    return value;
  }

  factor() {
    let minus = false;
    for (let sign; (sign = this.accept("+", "-")); ) minus = minus !== (sign.text === "-");
    const value = this.unsigned();
    if (!minus) return value;
    return value instanceof Map ? combine([MINUS, value]) : negative(value);
  }

  unsigned() {
    if (this.accept("(")) {
      const value = this.sum();
      if (!this.accept(")")) this.fail(this.token, `expected '+', '-' or ')', not ${show(this.token)}`);
      return value;
    }
    if (this.token.kind === "constant") return this.constant();
    if (this.token.kind === "number") return fromText(this.take().text);
    if (this.token.kind !== "name") this.fail(this.token, `expected a quantity or a number, not ${show(this.token)}`);
    return this.quantity();
  }

  /** log 12 is 2 log 2 + log 3, and log|A,B| is log|A| + log|B|. */
  constant() {
    const token = this.take();
    const parts = [];
    if (token.text.endsWith("|")) {
      parts.push(...token.text.slice(4, -1).split(",").map((name) => `log|${name}|`));
    } else {
      let n = Number(token.text.slice(4));
      if (!(n > 0 && n <= 1_000_000)) {
        this.fail(token, `the logarithm of an integer from 1 to a million, not of ${n}`);
      }
      for (let p = 2; n > 1; p++) for (; n % p === 0; n /= p) parts.push(`log ${p}`);
    }
    return combine(...parts.map((part) => [ONE, new Map([[part, ONE]])]));
  }

  quantity() {
    const name = this.take();
    if (named(name).length || this.token.text !== "(") {
      const problem = this.token.text === "(" ? "unknown function" : "not a quantity:";
      this.fail(name, `${problem} '${name.text}': write H(A|C) or I(A;B|C), in capital letters`);
    }
    this.take();
    const groups = [this.group()];
    for (let separator; (separator = this.accept(";")); ) {
      if (name.text === "H") this.fail(separator, "H takes one group: write H(A,B) for the joint entropy");
      groups.push(this.group());
    }
    if (name.text === "I" && groups.length === 1) {
      this.fail(this.token, "I needs two groups separated by ';', as in I(A;B)");
    }
    const given = this.accept("|") ? this.group() : [];
    if (!this.accept(")")) this.fail(this.token, `expected ',' or ')', not ${show(this.token)}`);
    return information(groups, given);
  }

  group() {
    const names = [];
    do {
      const token = this.take();
      if (token.kind !== "name") this.fail(token, `empty group: expected a variable, not ${show(token)}`);
      if (!named(token).length) this.fail(token, `'${token.text}' is reserved: give the variable another name`);
      names.push(token.text);
    } while (this.accept(","));
    return names;
  }
}

// --- writing -----------------------------------------------------------------------------------------------------

/** The tokens as plain text, as the book's package reads it. */
function written(tokens) {
  return tokens
    .map(({ text, kind }, i) => {
      if ([...RELATIONS, "->"].includes(text)) return ` ${text} `;
      const before = tokens[i - 1];
      const binary = before && (["number", "name", "constant"].includes(before.kind) || before.text === ")");
      if (text === "+" || text === "-") return binary ? ` ${text} ` : text;
      return before && before.kind === "number" && ["name", "constant"].includes(kind) ? ` ${text}` : text;
    })
    .join("");
}

const GREEK = new Set(
  ("alpha beta gamma delta zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon chi psi omega " +
    "Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega").split(" "),
);
const VARIANTS = { eps: "\\varepsilon", epsilon: "\\varepsilon", phi: "\\varphi" };

function word(text) {
  if (VARIANTS[text]) return VARIANTS[text];
  if (GREEK.has(text)) return `\\${text}`;
  return text.length === 1 || /^\d+$/.test(text) ? text : `\\mathrm{${text}}`;
}

/** How a page prints some variables, where it is not by the rule below. */
export const printed = new Map();

/** A variable's name in LaTeX: its first part, the others as a subscript, its primes. */
export function latexName(name) {
  if (printed.has(name)) return printed.get(name);
  const base = name.replace(/'+$/, "");
  let [head, ...subscripts] = base.split("_").filter(Boolean);
  if (!head) return "\\_" + name.slice(base.length);
  const numbered = /^([A-Za-z]+)(\d+)$/.exec(head);
  if (numbered) [head, subscripts] = [numbered[1], [numbered[2], ...subscripts]];
  const below = subscripts.length ? `_{${subscripts.map(word).join(",")}}` : "";
  return word(head) + below + name.slice(base.length);
}

const LATEX = { "<=": " \\le ", ">=": " \\ge ", "=": " = ", "->": " \\to ", "|": " \\mid ", "*": " \\cdot " };

function typeset(tokens) {
  const pieces = tokens.map((token, i) => {
    const [before, after] = [tokens[i - 1], tokens[i + 1]];
    let piece = named(token).length ? latexName(token.text) : LATEX[token.text] || token.text;
    if (token.kind === "constant") {
      const inside = named(token).map(latexName).join(",");
      piece = inside ? `\\log |${inside}|` : `\\${token.text}`;
    }
    const binary = before && (["number", "name", "constant"].includes(before.kind) || before.text === ")");
    if (binary && (token.text === "+" || token.text === "-")) piece = ` ${token.text} `;
    const opens = after && (["name", "constant"].includes(after.kind) || after.text === "(");
    if (opens && (token.kind === "number" || token.text === ")" || token.text === "*")) {
      piece = `${token.text === "*" ? "" : piece}\\,`;
    }
    return piece;
  });
  return pieces.join("").replace(/(?<![/\d.])(\d+\.?\d*|\.\d+)\/(\d+\.?\d*|\.\d+)/g, "\\tfrac{$1}{$2}");
}

/**
 * Read a relation, a chain of relations or a Markov chain.
 * @param {string} text
 * @returns {Statement}
 * @throws {ExpressionError}
 */
export const parse = (text) => new Parser(text).statement();

/** Any expression in LaTeX, as it is written. */
export const latex = (text) => typeset(tokenize(text));
