"use strict";
(async () => {
const root = document.documentElement;
const $ = id => document.getElementById(id);

/** What an element holds: deflated and in base64, a third of the size of the text. */
function inflated(id) {
  const letters = atob($(id).textContent), bytes = new Uint8Array(letters.length);
  for (let at = 0; at < letters.length; at++) bytes[at] = letters.charCodeAt(at);
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"))).text();
}

const script = document.createElement("script"), texts = await Promise.all(["data", "bundle"].map(inflated));
const data = JSON.parse(texts[0]);
const NOTHING = "\u2013";
const state = { dataset: "", split: "", metric: "", k: null };

// -- tables: sorted by a click or the keyboard on the head of a column --------------------------------

const numberOf = cell => {
  const text = cell.dataset.value ?? cell.textContent.replaceAll(",", "");
  return text === "" ? NaN : parseFloat(text);
};

function sortRows(head, rising) {
  const table = head.closest("table"), at = head.cellIndex, sign = rising ? 1 : -1;
  const groups = table.tBodies[0]?.dataset.row !== undefined; // a leader board has a body for each row and its detail
  const items = groups ? [...table.tBodies] : [...(table.tBodies[0]?.rows ?? [])];
  const cell = item => (groups ? item.rows[0] : item).cells[at];
  const figures = head.classList.contains("figure");
  const order = (a, b) => {
    const x = cell(a), y = cell(b);
    if (!figures) return sign * x.textContent.localeCompare(y.textContent, "en", { numeric: true });
    const m = numberOf(x), n = numberOf(y);
    return isNaN(m) - isNaN(n) || sign * (m - n) || 0; // without a number: below, whatever the order
  };
  (groups ? table : table.tBodies[0])?.append(...items.sort(order));
  for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", rising ? "ascending" : "descending");
}

for (const head of document.querySelectorAll("thead th")) {
  head.querySelector("button")?.addEventListener("click", () => {
    const before = head.getAttribute("aria-sort");
    sortRows(head, before ? before === "descending" : !head.classList.contains("figure") || head.dataset.rising === "1");
  });
}

/** Hide the rows of all tables that do not hold the text. */
function filterRows(text) {
  const sought = text.trim().toLowerCase();
  const hides = content => !content.toLowerCase().includes(sought);
  for (const body of document.querySelectorAll(".board tbody")) body.hidden = hides(body.rows[0].cells[0].textContent);
  for (const row of document.querySelectorAll(".sortable tbody tr")) row.hidden = hides(row.textContent);
}

$("filter").addEventListener("input", () => filterRows($("filter").value));

function save(name, href) {
  const link = document.createElement("a");
  link.href = href;
  link.download = name;
  link.click();
  URL.revokeObjectURL(href);
}

const blob = (text, type) => URL.createObjectURL(new Blob([text], { type }));
const fileName = text => text.replace(/[^A-Za-z0-9_]+/g, "-").replace(/^-|-$/g, "").toLowerCase() || "report";

/** What a table shows, row by row. A text that a spreadsheet would run as a formula begins with an apostrophe. */
function csvOf(table) {
  const text = cell => {
    const parts = [...cell.querySelectorAll("bdi")].map(part => part.textContent);
    const whole = (parts.length ? parts.join(" ") : cell.textContent).trim();
    const safe = /^([=+@\t\r]|-(?![\d.]))/.test(whole) ? `'${whole}` : whole;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  const shown = row => !row.hidden && !row.parentNode.hidden && !row.classList.contains("detail");
  const cells = row => [...row.cells].filter(cell => !cell.hidden);
  const rows = [table.tHead.rows[0], ...[...table.tBodies].flatMap(body => [...body.rows]).filter(shown)];
  return `\ufeff${rows.map(row => cells(row).map(text).join(",")).join("\r\n")}\r\n`;
}

function tools(place, actions) {
  const line = document.createElement("div");
  line.className = "tools";
  line.append(...Object.entries(actions).map(([name, act]) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = name;
    button.addEventListener("click", act);
    return button;
  }));
  place.append(line);
  return line;
}

for (const wide of document.querySelectorAll(".wide")) {
  const table = wide.querySelector("table"), board = wide.closest(".board");
  const name = table.caption?.textContent ?? wide.getAttribute("aria-label");
  const place = document.createElement("div");
  wide.after(place);
  const line = tools(place, {
    "Download CSV": () => save(`${fileName(name)}.csv`, blob(csvOf(table), "text/csv")),
    ...(wide.parentNode === board && { "Fewer columns": () => { board.classList.toggle("all"); fitBoard(); } }),
  });
  if (wide.parentNode === board) line.lastChild.className = "columns";
}

// -- the leader board ---------------------------------------------------------------------------------

const boards = [...document.querySelectorAll(".board")];
const chosen = () => data.boards.findIndex(b => b.dataset === state.dataset && b.split === state.split);
const columnName = ([metric, k]) => (k === null ? metric : `${metric}@${k}`);

function columnOf(board, metric, k) {
  return board.columns.findIndex(c => c[0] === metric && (c[1] === k || c[1] === null));
}

function shownColumns(board) {
  const main = columnOf(board, state.metric, state.k);
  const beside = data.beside.filter(m => m !== state.metric).map(m => columnOf(board, m, state.k)).filter(c => c >= 0);
  return [main, ...beside.slice(0, data.besideN)];
}

function fillBoard(element, board) {
  const columns = shownColumns(board);
  element.querySelectorAll("thead .metric").forEach((head, at) => {
    const column = columns[at];
    head.hidden = column === undefined;
    if (head.hidden) return;
    const [metric] = board.columns[column];
    head.querySelector("bdi").textContent = columnName(board.columns[column]);
    head.dataset.rising = data.metrics[metric][1] === false ? "1" : "0";
    head.title = data.metrics[metric][0];
  });
  for (const body of element.querySelectorAll("tbody[data-row]")) {
    const row = board.rows[Number(body.dataset.row)];
    body.rows[0].querySelectorAll(".metric").forEach((cell, at) => {
      const column = columns[at], [text, mean, best] = row[column] || [NOTHING, "", 0];
      const sign = document.createElement("b");
      sign.className = "sign";
      sign.textContent = data.marks.includes(text.at(-1)) ? text.at(-1) : "";
      cell.hidden = column === undefined;
      cell.replaceChildren(text.slice(0, text.length - sign.textContent.length), sign);
      cell.dataset.value = mean;
      cell.classList.toggle("best", Boolean(best));
    });
  }
}

/** Leave out columns of the board that do not fit, metrics first but for the chosen one; its button shows them. */
function fitBoard() {
  const element = boards[chosen()], wide = element?.querySelector(".wide"), button = element?.querySelector(".columns");
  if (!wide) return;
  const heads = [...element.querySelectorAll(":scope > .wide > table > thead th")].filter(head => !head.hidden);
  const cells = at => [...element.querySelectorAll("tbody[data-row]")].map(body => body.rows[0].cells[at]);
  const spare = (head, yes) => [head, ...cells(head.cellIndex)].forEach(cell => cell.classList.toggle("spare", yes));
  heads.forEach(head => spare(head, false));
  const all = element.classList.contains("all"), isMetric = head => head.classList.contains("metric");
  const beside = heads.filter(isMetric).slice(1), others = heads.slice(1).filter(head => !isMetric(head));
  for (const head of all ? [] : [...others, ...beside].reverse()) {
    if (wide.scrollWidth <= wide.clientWidth) break;
    spare(head, true);
  }
  const left = heads.filter(head => head.classList.contains("spare"));
  button.hidden = !all && !left.length;
  button.textContent = all ? "Fewer columns" : `Show ${left.map(head => head.textContent).join(", ")}`;
}

addEventListener("resize", fitBoard);

function showBoard() {
  const at = chosen(), board = data.boards[at];
  boards.forEach((element, n) => { element.hidden = n !== at; });
  if (!board || !board.columns.length) return;
  fillBoard(boards[at], board);
  const heads = [...boards[at].querySelectorAll("thead th")];
  const sorted = heads.find(h => h.hasAttribute("aria-sort") && !h.hidden && !h.classList.contains("metric"));
  const main = heads.find(h => h.classList.contains("metric"));
  if (sorted) sortRows(sorted, sorted.getAttribute("aria-sort") === "ascending");
  else sortRows(main, main.dataset.rising === "1");
  fitBoard();
  const [metric] = board.columns[shownColumns(board)[0]];
  $("definition").textContent = `${metric}: ${data.metrics[metric][0]}.`;
}

for (const button of document.querySelectorAll(".open")) {
  const row = $(button.getAttribute("aria-controls"));
  row.querySelector("details").open = true; // its row is what opens and closes
  button.addEventListener("click", () => {
    const open = button.getAttribute("aria-expanded") !== "true";
    button.setAttribute("aria-expanded", String(open));
    row.classList.toggle("shown", open);
  });
}

// -- what is chosen -----------------------------------------------------------------------------------

function options(id, values, value) {
  const select = $(id);
  select.replaceChildren(...values.map(v => {
    const option = document.createElement("option");
    option.textContent = String(v);
    option.selected = v === value;
    return option;
  }));
  select.disabled = values.length < 2;
  select.closest("label").hidden = !values.length; // nothing was measured
}

const distinct = values => [...new Set(values)];
const nearest = (values, target) => values.toSorted((a, b) => Math.abs(a - target) - Math.abs(b - target) || a - b)[0] ?? null;

/** Keep what is chosen where it exists, else take what comes first; then show it everywhere. */
function choose(selection) {
  Object.assign(state, selection);
  const datasets = distinct(data.boards.map(b => b.dataset));
  if (!datasets.includes(state.dataset)) state.dataset = datasets[0];
  const splits = distinct(data.boards.filter(b => b.dataset === state.dataset).map(b => b.split));
  if (!splits.includes(state.split)) state.split = splits[0];
  const columns = data.boards[chosen()]?.columns ?? [];
  const rank = metric => (data.usual.indexOf(metric) + 1 || data.usual.length + 1);
  const metrics = distinct(columns.map(c => c[0])).sort((a, b) => rank(a) - rank(b));
  if (!metrics.includes(state.metric)) state.metric = metrics[0] ?? "";
  const ks = distinct(columns.map(c => c[1]).filter(k => k !== null)).sort((a, b) => a - b);
  if (!ks.includes(state.k)) state.k = nearest(ks, state.k ?? data.usualK);
  options("dataset", datasets, state.dataset);
  options("split", splits, state.split);
  options("metric", metrics, state.metric);
  options("k", ks, state.k);
  if (!columns.some(c => c[0] === state.metric && c[1] !== null)) $("k").disabled = true;
  showBoard();
  showLegend();
  updateCharts();
}

/** The view that the address holds: `#split=temporal&metric=recall&k=20`. */
function fromAddress() {
  const view = Object.fromEntries([...new URLSearchParams(location.hash.slice(1))].filter(([name]) => name in state));
  return "k" in view ? { ...view, k: Number(view.k) } : view;
}

$("controls").addEventListener("change", () => {
  choose({ dataset: $("dataset").value, split: $("split").value, metric: $("metric").value, k: Number($("k").value) });
  const view = Object.entries(state).filter(([name]) => $(name).options.length > 1);
  history.replaceState(null, "", `#${new URLSearchParams(view)}`);
});

/** Open the folded section that the address names, and go there. */
function openTarget() {
  const target = location.hash.includes("=") ? null : $(decodeURIComponent(location.hash.slice(1)));
  const fold = target?.closest("details.fold") ?? target?.querySelector(":scope > details.fold");
  if (fold) fold.open = true;
  target?.scrollIntoView();
}

addEventListener("hashchange", () => {
  openTarget();
  if (location.hash.includes("=")) choose(fromAddress());
});
$("controls").addEventListener("submit", event => event.preventDefault());

// -- charts -------------------------------------------------------------------------------------------

const colour = name => `var(--${name})`; // resolved by the style sheet, so one drawing serves light, dark and paper
const font = "system-ui, sans-serif";
const words = { labelColor: colour("faint"), titleColor: colour("ink"), labelFont: font, titleFont: font, labelFontSize: 12, titleFontSize: 12 };
const config = {
  background: "transparent",
  axis: { ...words, gridColor: colour("line"), domainColor: colour("line"), tickColor: colour("line") },
  legend: words,
  header: words,
  title: { color: colour("ink"), subtitleColor: colour("faint"), font, subtitleFont: font },
  text: { color: colour("ink"), font },
  view: { stroke: colour("line") },
  range: { category: Array.from({ length: 10 }, (_, at) => colour(`c${at + 1}`)) },
};
const refused = () => Promise.reject(new Error("a report loads nothing"));
const loader = { load: refused, sanitize: refused, http: refused, file: refused };

function tooltip(_, event, __, value) {
  const tip = $("tip");
  tip.hidden = value === null || value === undefined || value === "";
  if (tip.hidden) return;
  const pairs = typeof value === "object" ? Object.entries(value) : [["", value]];
  tip.replaceChildren(...pairs.map(([name, text]) => {
    const line = document.createElement("div"), label = document.createElement("span"), content = document.createElement("bdi");
    label.textContent = name;
    content.textContent = String(text);
    line.append(label, content);
    return line;
  }));
  tip.style.left = `${Math.max(4, Math.min(event.clientX + 12, innerWidth - tip.offsetWidth - 8))}px`;
  tip.style.top = `${Math.max(4, Math.min(event.clientY + 12, innerHeight - tip.offsetHeight - 8))}px`;
}

/** The rows of a packed table: by columns, texts kept once and by number. */
function rowsOf(table) {
  if (Array.isArray(table)) return table;
  const columns = Object.entries(table).map(([name, column]) => [name, Array.isArray(column) ? column : column.at.map(n => column.of[n])]);
  return columns[0][1].map((_, at) => Object.fromEntries(columns.map(([name, column]) => [name, column[at]])));
}

/** A specification without the legends of models: the page has one for all charts. */
function withoutLegends(part) {
  if (Array.isArray(part)) return part.map(withoutLegends);
  if (!part || typeof part !== "object") return part;
  const own = part.field === "model" && part.legend ? { ...part, legend: null } : part;
  return Object.fromEntries(Object.entries(own).map(([name, inner]) => [name, withoutLegends(inner)]));
}

const SHAPES = {
  circle: "M-5,0a5,5 0 1,0 10,0a5,5 0 1,0 -10,0", square: "M-4.5,-4.5h9v9h-9z", diamond: "M0,-6L5,0L0,6L-5,0z",
  cross: "M-2,-5h4v3h3v4h-3v3h-4v-3h-3v-4h3z", "triangle-up": "M0,-5L5,4H-5z", "triangle-down": "M0,5L5,-4H-5z",
  "triangle-right": "M5,0L-4,5V-5z", "triangle-left": "M-5,0L4,5V-5z",
};
const picked = new Set();

/** One legend for all charts: a model that is chosen in it is highlighted in each of them. */
function showLegend() {
  const board = data.charts["leader-board"], [lines, marks] = board?.layer ?? [];
  if (!board) return;
  const scale = channel => (channel === "color" ? lines : marks).encoding[channel].scale, models = scale("color").domain;
  const rows = rowsOf(data.tables[board.datasets[0]]).filter(row => row.dataset === state.dataset && row.split === state.split);
  const shown = new Set(rows.map(row => row.model));
  const svg = "http://www.w3.org/2000/svg";
  $("legend").replaceChildren(...models.flatMap((model, at) => {
    if (!shown.has(model)) return [];
    const item = document.createElement("li"), button = document.createElement("button"), name = document.createElement("bdi");
    const symbol = document.createElementNS(svg, "svg"), path = document.createElementNS(svg, "path");
    symbol.setAttribute("viewBox", "-6 -6 12 12");
    symbol.setAttribute("aria-hidden", "true");
    path.setAttribute("d", SHAPES[scale("shape").range[at]]);
    path.setAttribute("fill", scale("color").range[at]);
    symbol.append(path);
    name.textContent = model;
    button.type = "button";
    button.setAttribute("aria-pressed", String(picked.has(model)));
    button.append(symbol, name);
    button.addEventListener("click", () => {
      if (!picked.delete(model)) picked.add(model);
      button.setAttribute("aria-pressed", String(picked.has(model)));
      updateCharts();
    });
    item.append(button);
    return [item];
  }));
}

class ChartView {
  /** A chart in its element: `names` are the parameters that the selectors of the page set. */
  constructor(element) {
    const stored = data.charts[element.dataset.chart];
    this.element = element;
    const datasets = Object.fromEntries((stored.datasets ?? []).map(name => [name, rowsOf(data.tables[name])]));
    this.rows = Object.values(datasets).flat();
    this.spec = { ...stored, datasets };
    const names = new Set((stored.params ?? []).filter(p => "value" in p).map(p => p.name));
    this.names = Object.keys(state).filter(name => names.has(name));
    this.fades = names.has("picked");
    this.offered = stored.params?.find(p => p.name === "offered")?.value;
    this.view = null;
    const kinds = { SVG: "svg", PNG: "png" };
    const actions = Object.entries(kinds).map(([name, kind]) => [`Download ${name}`, () => this.save(kind)]);
    tools(element.closest("figure"), Object.fromEntries(actions));
  }

  /** Whether any row is of what is chosen; a chart without a selector of ours always has. */
  hasData() {
    const metric = this.offered && !this.offered.includes(state.metric) ? this.offered[0] : state.metric;
    const chosen = { ...state, metric };
    const keys = this.names.filter(name => name !== "k");
    const k = row => !this.names.includes("k") || row.k === null || row.k === undefined || [row.k].flat().some(v => v === null || v === state.k);
    return !this.rows.length || this.rows.some(row => keys.every(key => row[key] === undefined || row[key] === chosen[key]) && k(row));
  }

  /** Show what is chosen: hide the figure where there is nothing, draw it when it is first seen. */
  async update() {
    const figure = this.element.closest("figure");
    figure.hidden = !this.hasData();
    if (figure.hidden || this.element.closest("details:not([open])")) return;
    if (this.view) {
      for (const name of this.names) this.view.signal(name, state[name]);
      if (this.fades) this.view.signal("picked", [...picked]);
      await this.view.runAsync();
      return;
    }
    await this.draw();
    await new Promise(go => { // a busy page is never idle: go on all the same
      if (window.requestIdleCallback) requestIdleCallback(go, { timeout: 100 });
      else setTimeout(go);
    });
  }

  /** The specification with what is chosen. */
  chosen(spec) {
    const now = name => (name in state ? state[name] : name === "picked" ? [...picked] : this.view?.signal(name));
    const set = p => ("value" in p && (this.names.includes(p.name) || p.name === "picked" || p.bind) ? { ...p, value: now(p.name) ?? p.value } : p);
    return spec.params ? { ...spec, params: spec.params.map(set) } : spec;
  }

  async draw() {
    const { layer, encoding } = this.spec;
    const spec = { ...this.spec, ...(layer ? { layer: withoutLegends(layer), encoding: withoutLegends(encoding) } : {}) };
    try {
      this.view = await embed(this.element, this.chosen(spec), config);
      this.element.dataset.state = "drawn";
    } catch (error) {
      this.element.dataset.state = "failed";
      this.element.textContent = `This chart could not be drawn: ${error.message}`;
      console.error(error);
    }
  }

  /** Save the chart as a file that stands alone: with its legend, dark on white. */
  async save(kind) {
    const place = document.createElement("div");
    place.style.cssText = `position: absolute; inset-inline-start: -200vw; width: ${Math.max(this.element.clientWidth, 480)}px`;
    document.body.append(place);
    const view = await embed(place, this.chosen(this.spec), { background: "white", font: "sans-serif" });
    const href = kind === "svg" ? blob(await view.toSVG(), "image/svg+xml") : await view.toImageURL("png", 2);
    view.finalize();
    place.remove();
    save(`${fileName(this.element.dataset.chart)}.${kind}`, href);
  }
}

/** Draw a specification; the page has its own selectors, but for what only this chart can be chosen by. */
async function embed(element, spec, look) {
  const params = spec.params?.map(({ bind, ...p }) => (bind && !(p.name in state) ? { ...p, bind } : p));
  const options = { actions: false, renderer: "svg", config: look, tooltip, loader, logLevel: 1 };
  const { view } = await vegaEmbed(element, params ? { ...spec, params } : spec, options);
  await view.runAsync();
  return view;
}

script.textContent = texts[1]; // defines vegaEmbed
document.head.append(script);
const charts = [...document.querySelectorAll(".chart")].map(element => new ChartView(element));
const inView = ({ element }) => element.getBoundingClientRect().top < innerHeight;
let updates = Promise.resolve();

/** Update all charts, one after another; `data-charts` of the root says whether that is done. */
function updateCharts() {
  delete root.dataset.charts;
  const last = updates = updates.then(async () => {
    for (const chart of charts.toSorted((a, b) => inView(b) - inView(a))) {
      if (updates !== last) return; // a later choice updates all of them again
      await chart.update();
    }
    root.dataset.charts = "drawn";
  });
}

// -- theme, paper, start ------------------------------------------------------------------------------

const THEMES = { "": "auto", light: "light", dark: "dark" };

function setTheme(theme) {
  if (theme) root.dataset.theme = theme;
  else delete root.dataset.theme;
  $("theme").querySelector("span").textContent = THEMES[theme];
}

function remembered(value) {
  try {
    if (value !== undefined) localStorage.setItem("bakeoff-theme", value);
    return localStorage.getItem("bakeoff-theme") ?? "";
  } catch (error) { // a browser may refuse to remember anything for a file
    return value ?? "";
  }
}

$("theme").addEventListener("click", () => {
  const names = Object.keys(THEMES), at = names.indexOf(root.dataset.theme ?? "");
  setTheme(remembered(names[(at + 1) % names.length]));
});

const folds = [...document.querySelectorAll("details.fold")];
let closed = [];
for (const fold of folds) fold.addEventListener("toggle", () => { if (fold.open && fold.querySelector(".chart")) updateCharts(); });
addEventListener("beforeprint", () => {
  const isDrawn = fold => !fold.querySelector("figure:not([hidden]) .chart:not([data-state])"); // or its cards were empty
  closed.push(...folds.filter(fold => !fold.open && isDrawn(fold)));
  for (const fold of closed) fold.open = true;
});
addEventListener("afterprint", () => {
  for (const fold of closed) fold.open = false;
  closed = [];
});

/** Print all sections, with the charts that were never looked at: only drawn ones can be printed. */
async function printAll() {
  closed.push(...folds.filter(fold => !fold.open));
  for (const fold of closed) fold.open = true;
  updateCharts();
  do await updates; while (root.dataset.charts !== "drawn");
  print();
}

$("print").addEventListener("click", printAll);
addEventListener("keydown", event => {
  if (!(event.ctrlKey || event.metaKey) || event.key !== "p") return;
  event.preventDefault();
  printAll();
});

const theme = remembered();
setTheme(theme in THEMES ? theme : "");
$("theme").hidden = $("print").hidden = false;
$("controls").hidden = !data.boards.length;
if (data.boards.length) choose(fromAddress());
else updateCharts();
openTarget();
})();
