// The operations page: warnings, present figures in words, and charts of the last ten minutes.

import { Chart } from "./operations-chart.js";
import { watchSamples } from "./operations-feed.js";
import { CHARTS, FIGURES } from "./operations-figures.js";
import { timeOfDay } from "./operations-words.js";
import { element, request, showError, stream } from "./page.js";

const GAP = 2.5; // Intervals without a sample. A late one is not a gap.

const charts = CHARTS.map((definition) => new Chart(definition));
const columns = CHARTS.flatMap(({ title, lines, words }) =>
  lines.map(({ name, read }) => {
    return { title: lines.length > 1 ? `${title}: ${name}` : title, read, words };
  }),
);
const figures = new Map(FIGURES.map(([term]) => [term, element("dd")]));
const page = {
  asOf: document.querySelector("#as-of"),
  table: document.querySelector("#history"),
  rows: document.querySelector("#history tbody"),
  warnings: document.querySelector("#warnings ul"),
  noWarnings: document.querySelector("#no-warnings"),
};

let samples = []; // Oldest first.
let settings = { interval_seconds: 5, kept_samples: 120, limits: null };
let warnings = null; // null: not known yet.
let isDrawingDue = false;
let staleTimer = 0;

document.querySelector("#charts").append(...charts.map((chart) => chart.element));
document.querySelector("#figures").append(
  ...FIGURES.map(([term]) => element("div", {}, element("dt", {}, term), figures.get(term))),
);
document.querySelector("#history thead").append(
  element(
    "tr",
    {},
    element("th", { scope: "col" }, "Time"),
    ...columns.map(({ title }) => element("th", { scope: "col" }, title)),
  ),
);
page.table.addEventListener("toggle", drawSoon);

watchSamples(stream, request, {
  onState: (state) => {
    settings = state;
    take(state.samples, state.warnings);
  },
  onSample: ({ warnings: found, ...sample }) => {
    // An event is the newest sample. Later ones are of a clock that was set back since.
    samples = samples.filter(({ time }) => time < sample.time);
    take([sample], found);
  },
  onError: showError,
});

/** Add samples, which may be known already, and draw the page. */
function take(added, found) {
  const known = new Map([...samples, ...added].map((sample) => [sample.time, sample]));
  const sorted = [...known.values()].sort((a, b) => a.time - b.time);
  const newest = sorted.at(-1)?.time ?? 0;
  const reach = settings.interval_seconds * settings.kept_samples * 1000;
  samples = sorted.filter(({ time }) => time > newest - reach).slice(-settings.kept_samples);
  warnings = found;
  clearTimeout(staleTimer);
  staleTimer = setTimeout(showAge, GAP * settings.interval_seconds * 1000, true);
  drawSoon();
}

/** Draw once before the next frame, however many samples have come. A hidden page draws later. */
function drawSoon() {
  if (isDrawingDue) return;
  isDrawingDue = true;
  requestAnimationFrame(() => {
    isDrawingDue = false;
    draw();
  });
}

function draw() {
  drawWarnings();
  document.querySelector("#now").removeAttribute("aria-busy");
  if (samples.length === 0) page.asOf.textContent = "The first figures come in a few seconds.";
  if (samples.length === 0 || settings.limits === null) return;
  const gaps = gapsOf(samples);
  const seconds = settings.interval_seconds * settings.kept_samples;
  for (const [term, words] of FIGURES) {
    const text = words(samples.at(-1), settings.limits);
    figures.get(term).textContent = text;
    figures.get(term).parentElement.hidden = text === "";
  }
  for (const chart of charts) chart.draw(samples, gaps, seconds);
  if (page.table.open) drawTable();
  showAge(false);
}

function showAge(isStale) {
  if (samples.length === 0) return;
  const at = timeOfDay(samples.at(-1).time);
  page.asOf.textContent = isStale ? `No new figures since ${at}.` : `As of ${at}.`;
  page.asOf.classList.toggle("stale", isStale);
}

function gapsOf(all) {
  const longest = GAP * settings.interval_seconds * 1000;
  return all
    .slice(1)
    .map((sample, index) => [all[index], sample])
    .filter(([before, after]) => after.time - before.time > longest);
}

/**
 * Show the warnings. An item is kept while its kind is there, and its text is changed in place:
 * a screen reader tells of a new kind, and not of each new figure.
 */
function drawWarnings() {
  if (warnings === null) return;
  const items = new Map([...page.warnings.children].map((item) => [item.dataset.kind, item]));
  const shown = [];
  for (const { kind, level, text } of warnings) {
    const item = items.get(kind) ?? warningItem(kind);
    item.className = `notice ${level}`;
    item.querySelector("strong").textContent = { bad: "Problem", note: "Note" }[level] ?? "Warning";
    item.querySelector("span").textContent = text;
    shown.push(item);
  }
  arrange(page.warnings, shown);
  page.noWarnings.hidden = warnings.length > 0;
  page.noWarnings.textContent = "No warnings.";
}

function warningItem(kind) {
  const words = element("p", {}, element("strong"), " ", element("span", { dir: "auto" }));
  return element("li", { "data-kind": kind }, words);
}

/** Draw the table, newest first. A row that is there already is kept, with a user's selection. */
function drawTable() {
  const kept = new Map([...page.rows.children].map((row) => [Number(row.dataset.time), row]));
  const rows = samples.map((sample) => kept.get(sample.time) ?? rowOf(sample));
  arrange(page.rows, rows.reverse());
}

/** Make elements the children of a parent. Those that are in their place are not touched. */
function arrange(parent, children) {
  for (const [index, child] of children.entries()) {
    const present = parent.children[index];
    if (present !== child) parent.insertBefore(child, present ?? null);
  }
  while (parent.children.length > children.length) parent.lastElementChild.remove();
}

function rowOf(sample) {
  const cells = columns.map(({ read, words }) => {
    const value = read(sample);
    return element("td", {}, value === null ? "–" : words(value));
  });
  const time = element("th", { scope: "row" }, timeOfDay(sample.time));
  return element("tr", { "data-time": sample.time }, time, ...cells);
}
