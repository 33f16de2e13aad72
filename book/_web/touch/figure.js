/**
 * A figure that the reader moves: controls, a chart, a line of numbers, and sentences that are judged again.
 *
 * A chapter's module exports `figure`.  Every control runs through a list of values; where it starts is the book's
 * setting.  `show` computes everything from one setting.
 *
 * @typedef {{name: string, label: string, values: any[], start: any, say?: (value: any) => string, choose?: boolean}} Control
 * @typedef {{chart: import("./draw.js").Chart, line: string, values: Record<string, number>,
 *   claims: Record<string, [boolean, string]>}} Shown  values are those that the book records at its setting
 * @typedef {{controls: (data: any) => Control[], show: (setting: any, data: any) => Shown}} Figure
 */
import { draw } from "./draw.js";

/** @param {string} name @param {Record<string, any>} [properties] @param {...(Node | string)} children */
function tag(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

/** A labelled slider or menu; `changed` gets the value. @param {Control} control @param {(value: any) => void} changed */
function field(control, id, changed) {
  const { label, values, start, say = String, choose = false } = control;
  const first = values.indexOf(start);
  const said = tag("output", { htmlFor: id });
  const input = choose
    ? tag("select", { id }, ...values.map((value, i) => tag("option", { value: String(i) }, say(value))))
    : tag("input", { id, type: "range", min: "0", max: String(values.length - 1), step: "1" });
  const put = (at) => {
    input.value = String(at);
    said.textContent = choose ? "" : say(values[at]);
    if (!choose) input.setAttribute("aria-valuetext", say(values[at]));
  };
  input.addEventListener("input", () => {
    put(Number(input.value));
    changed(values[Number(input.value)]);
  });
  put(first);
  const row = tag("div", { className: "rb-control" }, tag("label", { htmlFor: id }, label), input, said);
  return { row, reset: () => put(first) };
}

/** What a mark in the legend looks like. @param {[string, string, string?]} key colour, label, dash */
function key([color, label, dash]) {
  const sample = tag("span", { className: dash === undefined ? "rb-key" : "rb-key rb-key-line" });
  sample.style.setProperty("--key", color);
  if (dash) sample.style.borderTopStyle = "dashed";
  return tag("li", {}, sample, label);
}

/** @param {HTMLElement} frame the figure as the page has it @param {Figure} figure */
function wake(frame, figure) {
  const data = JSON.parse(frame.querySelector("script").textContent);
  const controls = figure.controls(data);
  const book = Object.fromEntries(controls.map((one) => [one.name, one.start]));
  let setting = { ...book };
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("role", "img");
  const keys = tag("ul", { className: "rb-legend" });
  const line = tag("p", { className: "rb-line" });
  line.setAttribute("aria-live", "polite");
  let shown = figure.show(setting, data);
  const paint = () => draw(svg, shown.chart);
  const update = () => {
    shown = figure.show(setting, data);
    paint();
    keys.replaceChildren(...(shown.chart.keys ?? []).map(key));
    line.textContent = shown.line;
    for (const row of frame.querySelectorAll("[data-claim]")) {
      const [holds, why] = shown.claims[row.dataset.claim];
      const verdict = row.querySelector(".rb-here");
      verdict.className = `rb-here ${holds ? "rb-holds" : "rb-fails"}`;
      verdict.textContent = `${holds ? "holds here" : "does not hold here"}: ${why}`;
    }
    frame.dataset.setting = JSON.stringify(setting);
  };
  const fields = controls.map((one) =>
    field(one, `touch-${frame.dataset.touch}-${one.name}`, (value) => {
      setting = { ...setting, [one.name]: value };
      update();
    }),
  );
  const back = tag("button", { type: "button", className: "rb-reset" }, "Back to the book's setting");
  back.addEventListener("click", () => {
    fields.forEach((one) => one.reset());
    setting = { ...book };
    update();
  });
  frame.querySelector(".rb-stage").append(
    tag("div", { className: "rb-controls" }, ...fields.map((one) => one.row), back), svg, keys, line,
  );
  frame.hidden = false;
  update();
  new ResizeObserver(paint).observe(svg);
}

/** Wake the figures of the page. @param {Figure} figure */
export function start(figure) {
  for (const frame of document.querySelectorAll("figure.rb-touch")) wake(frame, figure);
}
