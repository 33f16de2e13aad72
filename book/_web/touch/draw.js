/**
 * A chart as SVG: stacked bars, areas, lines, dots and rules over two axes.
 * By hand, because a plotting library weighs more than all moving figures together, and these need no more.
 *
 * @typedef {{label: string, domain: [number, number], ticks?: [number, string][]}} Axis
 * @typedef {{kind: "bar", at: number, layers: [number, string][], width?: number}} Bar  heights with their colours
 * @typedef {{kind: "line", points: [number, number][], color: string, dash?: string}} Line
 * @typedef {{kind: "area", points: [number, number, number][], color: string}} Area  x, from and to
 * @typedef {{kind: "dot", at: [number, number], color: string, shape?: "cross", size?: number}} Dot
 * @typedef {{kind: "rule", at: number}} Rule  a dotted line at this x
 * @typedef {{kind: "text", at: [number, number], text: string}} Words
 * @typedef {Bar | Line | Area | Dot | Rule | Words} Mark
 * @typedef {{alt: string, x: Axis, y: Axis, marks: Mark[], keys?: [string, string, string?][]}} Chart
 */

const SVG = "http://www.w3.org/2000/svg";
const MARGIN = { top: 14, right: 14, bottom: 48, left: 54 };
const HEIGHT = 290;

/** @param {string} name @param {Record<string, string | number>} attributes @param {string} [text] */
function element(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value));
  if (text !== undefined) made.textContent = text;
  return made;
}

/** Some four round numbers from low to high. @param {number} low @param {number} high */
function rounded(low, high) {
  const raw = (high - low) / 4;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * ([1, 2, 5, 10].find((one) => one * power >= raw * 0.999) ?? 10);
  const ticks = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; i++) {
    ticks.push([i * step, String(Number((i * step).toPrecision(6))).replace("-", "\u2212")]);
  }
  return ticks;
}

/** Where a number lies on the page. @param {[number, number]} domain @param {number} start @param {number} end */
function scale([low, high], start, end) {
  return (value) => start + ((Math.min(Math.max(value, low), high) - low) / (high - low)) * (end - start);
}

/** The marks as elements, one by one. */
const DRAWN = {
  bar({ at, layers, width = 0.6 }, x, y) {
    let low = 0;
    const left = x(at - width / 2);
    return layers.map(([height, fill]) => {
      const top = y(low + height);
      const part = element("rect", { x: left, y: top, width: x(at + width / 2) - left, height: y(low) - top, fill });
      low += height;
      return part;
    });
  },
  line({ points, color, dash = "" }, x, y) {
    const path = points.map(([a, b], i) => `${i ? "L" : "M"}${x(a).toFixed(1)} ${y(b).toFixed(1)}`).join("");
    return [element("path", { d: path, fill: "none", stroke: color, "stroke-width": 2, "stroke-dasharray": dash })];
  },
  area({ points, color }, x, y) {
    const up = points.map(([a, , b]) => `${x(a).toFixed(1)},${y(b).toFixed(1)}`);
    const down = points.map(([a, b]) => `${x(a).toFixed(1)},${y(b).toFixed(1)}`).reverse();
    return [element("polygon", { points: [...up, ...down].join(" "), fill: color })];
  },
  dot({ at, color, shape, size = 5 }, x, y) {
    const [a, b] = [x(at[0]), y(at[1])];
    if (shape !== "cross") return [element("circle", { cx: a, cy: b, r: size, fill: color })];
    const path = `M${a - size} ${b - size}l${2 * size} ${2 * size}m${-2 * size} 0l${2 * size} ${-2 * size}`;
    return [element("path", { d: path, stroke: color, "stroke-width": 2.5, fill: "none" })];
  },
  rule({ at }, x, y, [bottom, top]) {
    return [element("line", { x1: x(at), x2: x(at), y1: bottom, y2: top, class: "rule" })];
  },
  text({ at, text }, x, y) {
    return [element("text", { x: x(at[0]), y: y(at[1]) - 6, "text-anchor": "middle" }, text)];
  },
};

/** @param {Axis} axis @param {Axis} other axes @param {(v: number) => number} x @param {(v: number) => number} y */
function axes({ x: across, y: up }, x, y, width) {
  const bottom = HEIGHT - MARGIN.bottom;
  const parts = [
    element("path", { d: `M${MARGIN.left} ${MARGIN.top}V${bottom}H${width - MARGIN.right}`, class: "axis" }),
    element("text", { x: (MARGIN.left + width - MARGIN.right) / 2, y: HEIGHT - 8, "text-anchor": "middle" }, across.label),
    element("text", { transform: `translate(14 ${(MARGIN.top + bottom) / 2}) rotate(-90)`, "text-anchor": "middle" }, up.label),
  ];
  for (const [value, text] of across.ticks ?? rounded(...across.domain)) {
    parts.push(element("line", { x1: x(value), x2: x(value), y1: bottom, y2: bottom + 4, class: "axis" }));
    parts.push(element("text", { x: x(value), y: bottom + 18, "text-anchor": "middle" }, text));
  }
  for (const [value, text] of up.ticks ?? rounded(...up.domain)) {
    parts.push(element("line", { x1: MARGIN.left - 4, x2: MARGIN.left, y1: y(value), y2: y(value), class: "axis" }));
    parts.push(element("text", { x: MARGIN.left - 8, y: y(value) + 4, "text-anchor": "end" }, text));
  }
  return parts;
}

/** Draw the chart into an SVG element, as wide as it is on the page. @param {SVGSVGElement} svg @param {Chart} chart */
export function draw(svg, chart) {
  const width = Math.max(280, svg.clientWidth || 640);
  svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
  svg.setAttribute("aria-label", chart.alt);
  const [bottom, top] = [HEIGHT - MARGIN.bottom, MARGIN.top];
  const x = scale(chart.x.domain, MARGIN.left, width - MARGIN.right);
  const y = scale(chart.y.domain, bottom, top);
  const marks = chart.marks.flatMap((mark) => DRAWN[mark.kind](mark, x, y, [bottom, top]));
  svg.replaceChildren(...marks, ...axes(chart, x, y, width));
}
