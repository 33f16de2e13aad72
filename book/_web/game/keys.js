/** A field for a statement, with buttons for its symbols: they know what may follow what. */

import { make } from "../prove/shown.js";

/** Is the caret inside parentheses? */
const inside = (text) => text.lastIndexOf("(") > text.lastIndexOf(")");

/** What a button inserts at the caret: the new text before and after it. */
export function pressed(before, after, key) {
  if (key === "back") {
    if (/[HI]\($/.test(before) && /^;?\)/.test(after)) return [before.slice(0, -2), after.replace(/^;?\)/, "")];
    return [before.replace(/([HI]\([^()]*\)\s*|,?[A-Za-z_]\w*'*|\s*[<>]=\s*|\s*[-+=]\s*|.\s*)$/, ""), after];
  }
  const leave = () => {
    const end = inside(before) ? after.indexOf(")") + 1 : 0;
    return [before + after.slice(0, end), after.slice(end)];
  };
  const apart = (text) => (text && !/[\s(]$/.test(text) ? `${text} ` : text);
  if (["+", "-", "<=", ">=", "="].includes(key)) {
    const [left, right] = leave();
    return [`${apart(left)}${key} `, right.trimStart()];
  }
  if (key === "H" || key === "I") {
    const [left, right] = leave();
    return [`${apart(left)}${key}(`, `${key === "I" ? ";" : ""})${right}`];
  }
  if (/^\d/.test(key)) {
    const [left, right] = leave();
    return [`${apart(left)}${key} `, right];
  }
  if (key === "|" || key === ";") {
    if (!inside(before)) return [before, after];
    if (after.startsWith(key)) return [before + key, after.slice(1)];
    if (key === "|" && after.startsWith(";")) return [before, after]; // the second group comes first
    return [before + key, after];
  }
  if (/[(]/.test(key)) { // a whole quantity
    const [left, right] = leave();
    const joined = left.trim() && !/[-+=*\d]\s*$/.test(left) ? `${apart(left)}+ ` : apart(left);
    return [joined + key, right];
  }
  if (!inside(before)) return [`${apart(before)}H(${key}`, `)${after}`]; // a variable alone is no quantity
  return [`${before}${/[\w']$/.test(before) ? "," : ""}${key}`, after];
}

const SAID = { "<=": "≤", ">=": "≥", "-": "−", back: "⌫", H: "H( )", I: "I( ; )" };
const NAMED = { back: "delete", "|": "given", ";": "semicolon", "<=": "at most", ">=": "at least", "-": "minus", "+": "plus", "=": "equals" };

export class StatementField {
  /** @param {string} id @param {string} label @param {string[][]} rows of keys @param {(name: string) => Node} shown */
  constructor(id, label, rows, shown) {
    this.input = make("input", {
      id, type: "text", spellcheck: false, autocomplete: "off", className: "rb-game-input", "aria-describedby": `${id}-wrong`,
    });
    this.input.setAttribute("autocapitalize", "off");
    this.wrong = make("div", { id: `${id}-wrong`, className: "rb-try-wrong", role: "alert" });
    const keys = rows.map((row) =>
      make("div", { className: "rb-keys", role: "group", "aria-label": "symbols" }, ...row.map((key) => this.key(key, shown))),
    );
    this.element = make("div", { className: "rb-game-field" }, make("label", { htmlFor: id }, label), this.input, ...keys, this.wrong);
  }

  key(key, shown) {
    const text = SAID[key] ? [SAID[key]] : /[A-Za-z]/.test(key) ? [shown(key)] : [key];
    const button = make("button", { type: "button", className: "rb-key" }, ...text);
    button.dataset.key = key;
    if (NAMED[key] || text[0] !== key) button.setAttribute("aria-label", NAMED[key] || key);
    button.addEventListener("pointerdown", (event) => event.preventDefault()); // the caret stays
    button.addEventListener("click", () => this.press(key));
    return button;
  }

  press(key) {
    const at = this.input.selectionStart ?? this.input.value.length;
    const end = this.input.selectionEnd ?? at;
    const [before, after] = pressed(this.input.value.slice(0, at), this.input.value.slice(end), key);
    this.input.value = before + after;
    this.input.setSelectionRange(before.length, before.length);
    if (matchMedia("(pointer: fine)").matches) this.input.focus(); // elsewhere it would open a keyboard on the screen
    this.input.dispatchEvent(new Event("input"));
  }

  get text() {
    return this.input.value.replace(/\s+/g, " ").trim();
  }

  /** Say what cannot be read, and where. */
  fail(error) {
    this.wrong.replaceChildren();
    this.input.removeAttribute("aria-invalid");
    if (!error) return;
    const { message, text, position } = error;
    this.input.setAttribute("aria-invalid", "true");
    this.wrong.append(
      make("p", {}, message[0].toUpperCase() + message.slice(1), "."), make("pre", {}, `${text}\n${" ".repeat(position)}^`),
    );
  }
}
