"use strict";
// Line charts with bands. Drawn at the width there is, so that text keeps its size on a phone.
const DASHES = ["", "8 3", "2 2.5", "8 3 2 3", "12 4", "5 2 1.5 2 1.5 2"];
const hidden = new Set();  // arms that are switched off, in all charts and films
const watchers = [];       // called when that changes

function armColour(arm) { return `var(--a${arm % 7})`; }

function element(name, attributes, parent) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const key in attributes) made.setAttribute(key, attributes[key]);
  if (parent) parent.appendChild(made);
  return made;
}

function show(value) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  if (size >= 1e5 || (size > 0 && size < 1e-3)) return value.toExponential(2);
  return String(Number(value.toPrecision(4)));
}

function ticks(low, high, count) {
  const raw = (high - low) / Math.max(1, count);
  const power = Math.pow(10, Math.floor(Math.log10(raw)));
  const step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((s) => s >= raw * 0.999) || raw;
  const out = [];
  for (let value = Math.ceil(low / step - 1e-9) * step; value <= high + step * 1e-9; value += step) {
    out.push(Math.abs(value) < step * 1e-9 ? 0 : value);
  }
  return out;
}

function path(xs, ys) {
  let out = "", pen = false;
  for (let i = 0; i < xs.length; ++i) {
    if (ys[i] === null) { pen = false; continue; }
    out += (pen ? "L" : "M") + xs[i].toFixed(1) + " " + ys[i].toFixed(1);
    pen = true;
  }
  return out;
}

function band(xs, low, high) {
  let out = "", run = [];
  const flush = () => {
    if (run.length > 1) {
      out += "M" + run.map((i) => `${xs[i].toFixed(1)} ${high[i].toFixed(1)}`).join("L") + "L" +
        run.reverse().map((i) => `${xs[i].toFixed(1)} ${low[i].toFixed(1)}`).join("L") + "Z";
    }
    run = [];
  };
  for (let i = 0; i < xs.length; ++i) {
    if (low[i] === null || high[i] === null) flush(); else run.push(i);
  }
  flush();
  return out;
}

/* host: element with .plot and .legend; get(): the chart's data
   {x: [], xlabel, unit, better, one, series: [{arm, label, mean: [], low: [], high: []}]} */
class Chart {
  constructor(host, get) {
    this.host = host;
    this.plot = host.querySelector(".plot");
    this.legend = host.querySelector(".legend");
    this.get = get;
    this.bands = true;
    this.at = -1;
    this.held = false;  // a person is pointing at it
    this.plot.tabIndex = 0;
    this.plot.setAttribute("role", "slider");
    this.plot.addEventListener("pointermove", (event) => { this.held = true; this.point(event); });
    this.plot.addEventListener("pointerdown", (event) => this.point(event));
    this.plot.addEventListener("pointerleave", () => { this.held = false; });
    this.plot.addEventListener("click", () => this.chosen());
    this.plot.addEventListener("keydown", (event) => this.key(event));
    watchers.push(() => this.draw());
    new ResizeObserver(() => this.draw()).observe(this.plot);
    this.reset();
  }

  reset() {
    this.data = this.get();
    this.at = this.data.x.length - 1;
    this.plot.setAttribute("aria-label", `${this.data.title} against ${this.data.xlabel}; arrow keys read values`);
    this.plot.setAttribute("aria-valuemin", 0);
    this.plot.setAttribute("aria-valuemax", this.data.x.length - 1);
    this.buildLegend();
    this.draw();
  }

  buildLegend() {
    this.legend.textContent = "";
    this.buttons = this.data.series.map((series) => {
      const button = document.createElement("button");
      button.type = "button";
      button.dataset.arm = series.arm;
      const swatch = element("svg", {width: 34, height: 12, "aria-hidden": "true"}, button);
      element("line", {x1: 1, x2: 33, y1: 6, y2: 6, "stroke-width": 2.5, "stroke-dasharray": DASHES[series.arm % 6],
                       style: `stroke:${armColour(series.arm)}`}, swatch);
      const name = document.createElement("span");
      name.textContent = series.label;
      const now = document.createElement("span");
      now.className = "now";
      button.append(name, now);
      button.addEventListener("click", () => toggleArm(series.arm));
      this.legend.appendChild(button);
      return {button, now, series};
    });
  }

  shown() { return this.data.series.filter((series) => !hidden.has(series.arm)); }

  range() {
    let low = Infinity, high = -Infinity;
    for (const series of this.shown()) {
      for (const values of this.bands ? [series.mean, series.low, series.high] : [series.mean]) {
        for (const value of values) if (value !== null) { low = Math.min(low, value); high = Math.max(high, value); }
      }
    }
    if (this.data.one) { low = Math.min(low, 1); high = Math.max(high, 1); }
    if (!isFinite(low)) return [0, 1];
    if (low === high) { const pad = Math.abs(low) * 0.05 || 0.5; return [low - pad, high + pad]; }
    const pad = 0.04 * (high - low);
    return [low - pad, high + pad];
  }

  draw() {
    const width = this.plot.clientWidth;
    if (!width) return;
    const height = Math.max(220, Math.min(380, width * 0.46));
    const left = 52, right = 14, top = 22, bottom = 36;
    const [low, high] = this.range(), x = this.data.x;
    const first = x[0], last = x[x.length - 1], span = last - first || 1;
    this.px = x.map((v) => x.length > 1 ? left + (v - first) / span * (width - left - right) : (left + width - right) / 2);
    const py = (v) => v === null ? null : top + (high - v) / (high - low) * (height - top - bottom);
    this.py = py;
    this.plot.textContent = "";
    const svg = this.svg = element("svg", {viewBox: `0 0 ${width} ${height}`, height, "aria-hidden": "true"}, this.plot);
    for (const value of ticks(low, high, height / 55)) {
      element("line", {class: "grid", x1: left, x2: width - right, y1: py(value), y2: py(value)}, svg);
      element("text", {x: left - 8, y: py(value) + 4, "text-anchor": "end"}, svg).textContent = show(value);
    }
    for (const value of ticks(first, last, Math.max(2, width / 90))) {
      if (value % 1) continue;
      const px = x.length > 1 ? left + (value - first) / span * (width - left - right) : this.px[0];
      element("text", {x: px, y: height - bottom + 18, "text-anchor": "middle"}, svg).textContent = show(value);
    }
    element("text", {x: width - right, y: height - 3, "text-anchor": "end"}, svg).textContent = this.data.xlabel;
    element("text", {x: 2, y: 12}, svg).textContent = [this.data.unit, this.data.better].filter(Boolean).join(", ");
    if (this.data.one) element("line", {class: "one", x1: left, x2: width - right, y1: py(1), y2: py(1)}, svg);
    if (this.bands) {
      for (const series of this.shown()) {
        element("path", {d: band(this.px, series.low.map(py), series.high.map(py)), "fill-opacity": 0.14,
                         style: `fill:${armColour(series.arm)}`}, svg);
      }
    }
    for (const series of this.shown()) {
      element("path", {d: path(this.px, series.mean.map(py)), fill: "none", "stroke-width": 2.2, "stroke-linejoin": "round",
                       "stroke-dasharray": DASHES[series.arm % 6], class: "curve", "data-arm": series.arm,
                       style: `stroke:${armColour(series.arm)}`}, svg);
    }
    this.cursor = element("g", {}, svg);
    this.size = {top, bottom: height - bottom};
    this.mark();
  }

  mark() {
    const i = this.at = Math.max(0, Math.min(this.data.x.length - 1, this.at));
    if (this.cursor) {
      this.cursor.textContent = "";
      const {top, bottom} = this.size, x = this.px[i];
      element("line", {class: "cursor", x1: x, x2: x, y1: top, y2: bottom}, this.cursor);
      for (const series of this.shown()) {
        if (series.mean[i] === null) continue;
        element("circle", {cx: x, cy: this.py(series.mean[i]), r: 4, style: `fill:${armColour(series.arm)}`}, this.cursor);
      }
    }
    const words = [];
    for (const {button, now, series} of this.buttons) {
      button.setAttribute("aria-pressed", String(!hidden.has(series.arm)));
      now.textContent = show(series.mean[i]);
      if (series.low[i] !== null) {
        const ends = document.createElement("small");
        const low = show(series.low[i]), high = show(series.high[i]);
        ends.textContent = `[${low}, ${high}]`;
        now.appendChild(ends);
        if (!hidden.has(series.arm)) words.push(`${series.label} ${show(series.mean[i])}, ${low} to ${high}`);
      }
    }
    const place = `${this.data.xlabel} ${this.data.x[i]}`;
    this.plot.setAttribute("aria-valuenow", i);
    this.plot.setAttribute("aria-valuetext", `${place}: ${words.join("; ")}`);
    const where = this.host.querySelector(".where");
    if (where) where.textContent = place;
  }

  point(event) {
    const box = this.plot.getBoundingClientRect(), x = event.clientX - box.left;
    let best = 0;
    this.px.forEach((px, i) => { if (Math.abs(px - x) < Math.abs(this.px[best] - x)) best = i; });
    this.at = best;
    this.mark();
  }

  key(event) {
    const far = Math.max(1, Math.round(this.data.x.length / 10)), end = this.data.x.length;
    const steps = {ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageUp: far, PageDown: -far, Home: -end, End: end};
    const step = steps[event.key];
    if (event.key === "Enter") { this.chosen(); return; }
    if (step === undefined) return;
    event.preventDefault();
    this.at += step;
    this.mark();
  }

  chosen() { if (this.onchosen) this.onchosen((this.at + 0.5) / this.data.x.length); }

  follow(share) {
    if (this.held) return;
    this.at = Math.min(this.data.x.length - 1, Math.floor(share * this.data.x.length));
    this.mark();
  }
}

function toggleArm(arm) {
  if (hidden.has(arm)) hidden.delete(arm); else hidden.add(arm);
  for (const watcher of watchers) watcher();
}
