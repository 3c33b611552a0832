// A small line chart of the last ten minutes: inline SVG, redrawn as a whole with each sample.

import { span } from "./operations-words.js";
import { element } from "./page.js";

const WIDTH = 320;
const HEIGHT = 120;
const TOP = 18; // The line of the highest value, with its label above it.
const BOTTOM = 100; // The line of the lowest value; below it is the axis of time.
const SVG = "http://www.w3.org/2000/svg";

function svg(name, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** One chart in a card: its title, the drawing, and the lowest, highest and present values. */
export class Chart {
  #definition;
  #picture = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" });
  #summary = element("p", { class: "chart-summary" });

  /** @param definition an entry of `CHARTS` */
  constructor(definition) {
    this.#definition = definition;
    const { title, lines } = definition;
    this.#picture.setAttribute("aria-label", `${title}: no figures yet`);
    this.element = element("figure", { class: "card chart" });
    this.element.append(element("figcaption", {}, element("h3", {}, title)));
    if (lines.length > 1) this.element.append(legend(lines));
    this.element.append(this.#picture, this.#summary);
  }

  /**
   * Draw the chart.
   *
   * @param samples oldest first
   * @param gaps the pairs of samples between which there are none
   * @param seconds the length of the axis of time
   */
  draw(samples, gaps, seconds) {
    const { title, lines, words, fromLowest } = this.#definition;
    const end = samples.at(-1)?.time ?? 0;
    const values = lines.map(({ read }) => samples.map(read));
    const known = values.flat().filter((value) => value !== null);
    const range = rangeOf(known, fromLowest);
    const start = end - seconds * 1000;
    const x = (time) => Math.max(((time - start) / (end - start)) * WIDTH, 0);
    const y = (value) => BOTTOM - ((value - range.low) / (range.high - range.low)) * (BOTTOM - TOP);
    const parts = [svg("path", { class: "axis", d: `M0 ${BOTTOM}H${WIDTH}M0 ${TOP}H${WIDTH}` })];
    for (const [before, after] of gaps) parts.push(gapBetween(x(before.time), x(after.time)));
    const breaks = new Set(gaps.map(([, after]) => after));
    for (const [index, line] of values.entries()) {
      const { path, dots } = pathsOf(samples, line, breaks, x, y);
      parts.push(svg("path", { class: `line line-${index + 1}`, d: path }));
      parts.push(svg("path", { class: `line line-${index + 1} dots`, d: dots }));
    }
    parts.push(...labels(known.length ? [words(range.high), words(range.low)] : [], seconds));
    this.#picture.replaceChildren(...parts);
    const text = lines.map((line, index) => summaryOf(line, values[index], words, lines.length));
    const summary = text.join("; ");
    this.#picture.setAttribute("aria-label", `${title}, last ${span(seconds)}: ${summary}`);
    this.#summary.textContent = summary;
  }
}

function legend(lines) {
  const items = lines.map(({ name }, index) =>
    element("li", { class: `legend-${index + 1}` }, name),
  );
  return element("ul", { class: "legend" }, ...items);
}

function rangeOf(known, fromLowest) {
  let low = fromLowest && known.length ? Infinity : 0;
  let high = fromLowest && known.length ? -Infinity : 0;
  for (const value of known) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return { low, high: high > low ? high : low + 1 };
}

/**
 * Return the path of a line, and that of the points that stand alone. A line is broken at a gap,
 * and where there is no value.
 */
function pathsOf(samples, values, breaks, x, y) {
  const pieces = [[]];
  for (const [index, value] of values.entries()) {
    if (value === null || breaks.has(samples[index])) pieces.push([]);
    if (value === null) continue;
    pieces.at(-1).push(`${x(samples[index].time).toFixed(1)} ${y(value).toFixed(1)}`);
  }
  const path = pieces.filter(({ length }) => length > 1).map((points) => `M${points.join("L")}`);
  // A line to the same place is a dot, because its ends are round.
  const dots = pieces.filter(({ length }) => length === 1).map(([at]) => `M${at}L${at}`);
  return { path: path.join(""), dots: dots.join("") };
}

function gapBetween(from, to) {
  const attributes = { class: "gap", x: from.toFixed(1), y: TOP, height: BOTTOM - TOP };
  return svg("rect", { ...attributes, width: Math.max(to - from, 1).toFixed(1) });
}

function labels([high, low], seconds) {
  const text = (content, x, y, anchor = "start") =>
    svg("text", { x, y, "text-anchor": anchor, class: "label" }, content);
  const time = [text(`${span(seconds)} ago`, 0, HEIGHT - 6), text("now", WIDTH, HEIGHT - 6, "end")];
  return high === undefined ? time : [...time, text(high, 0, TOP - 5), text(low, 0, BOTTOM - 4)];
}

function summaryOf({ name }, values, words, lines) {
  const known = values.filter((value) => value !== null);
  const prefix = lines > 1 ? `${name} ` : "";
  if (known.length === 0) return `${prefix}no figures`;
  const now = values.at(-1) === null ? "none" : words(values.at(-1));
  const low = words(Math.min(...known));
  return `${prefix}now ${now}, lowest ${low}, highest ${words(Math.max(...known))}`;
}
