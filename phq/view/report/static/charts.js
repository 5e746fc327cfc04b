"use strict";
// The plots. Each has draw(), which makes it anew in the colours of the theme, and update(), which shows the choice.

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const isDark = () => document.documentElement.dataset.theme === "dark";
const SCALES = {
  light: [[0, "#ffffff"], [0.12, "#dbe9f7"], [0.4, "#74aee0"], [0.7, "#2467b3"], [1, "#0b2559"]],
  dark: [[0, "#1c2024"], [0.12, "#23344f"], [0.4, "#2c6fa8"], [0.7, "#4fc3b8"], [1, "#f5e663"]],
};
const OPTIONS = { responsive: true, displayModeBar: false, doubleClick: false };

function basics() {
  const axis = { gridcolor: colour("line"), zerolinecolor: colour("line"), linecolor: colour("line"), fixedrange: true };
  const layout = {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: false, hovermode: "closest",
    font: { color: colour("text"), family: "system-ui, sans-serif", size: 12 },
    hoverlabel: { bgcolor: colour("panel"), bordercolor: colour("line"), font: { color: colour("text") } },
    dragmode: "select", newselection: { line: { color: colour("text"), width: 1.5, dash: "solid" } },
    activeselection: { fillcolor: colour("blue"), opacity: 0.08 }, selections: [],
  };
  return { axis, layout };
}

class Density {
  constructor(plot, shape, text) {
    Object.assign(this, { plot, shape, text, names: AXES[plot], element: document.getElementById(plot) });
  }

  values() {
    const { shape, names } = this, { cells, total } = grid(...names, chosenRows(this.plot), shape);
    const sigma = Math.max(shape.least, 30 * Math.max(total, 1) ** (-1 / 6)) / shape.step;  // Scott 1992, two axes
    const z = smooth(cells, shape, shape.wrap ? sigma : sigma / 2, sigma / 2);
    const scale = 100 / (Math.max(total, 1) * shape.step);  // percent of the samples a degree
    const alongX = z[0].map((_, i) => 10 * scale * z.reduce((sum, row) => sum + row[i], 0));
    const alongY = z.map((row) => 10 * scale * row.reduce((sum, value) => sum + value, 0));
    return { z: z.map((row) => row.map((value) => 100 * scale / shape.step * value)), alongX, alongY };
  }

  draw() {
    const { shape, element, text } = this, { axis, layout } = basics(), { z, alongX, alongY } = this.values();
    const along = (from, n) => Array.from({ length: n }, (_, i) => from + (i + 0.5) * shape.step);
    const x = along(shape.x0, shape.nx), y = along(shape.y0, shape.ny);
    const shown = content.samples.map((sample, number) => ({ sample, number }))
      .filter(({ sample }) => sample.kept && sample[this.names[0]] !== undefined);
    const side = { type: "scatter", mode: "lines", line: { color: colour("blue"), width: 1.5 }, hoverinfo: "none" };
    const traces = [
      { type: "heatmap", x, y, z, colorscale: SCALES[isDark() ? "dark" : "light"], zmin: 0, zsmooth: "best", showscale: false,
        hovertemplate: text.hover },
      { ...side, x, y: alongX, yaxis: "y2", fill: "tozeroy", hoverinfo: "skip" },
      { ...side, x: alongY, y, xaxis: "x2", fill: "tozerox", hoverinfo: "skip" },
      { type: "scatter", mode: "markers", x: shown.map(({ sample }) => sample[this.names[0]]),
        y: shown.map(({ sample }) => sample[this.names[1]]), customdata: shown.map(({ number }) => number), hoverinfo: "none",
        marker: { size: 5, color: colour("text"), opacity: 0.45, line: { width: 1, color: colour("panel") } },
        selected: { marker: { opacity: 0.75 } }, unselected: { marker: { opacity: 0.2 } } },
    ];
    const ends = (from, n) => [from, from + n * shape.step];
    Object.assign(layout, {
      margin: { l: 48, r: 6, t: 4, b: 42 },
      xaxis: { ...axis, domain: [0, 0.88], range: ends(shape.x0, shape.nx), dtick: shape.tick * (element.clientWidth < 500 ? 2 : 1), ticksuffix: "°", title: { text: text.x, standoff: 6 } },
      yaxis: { ...axis, domain: [0, 0.82], range: ends(shape.y0, shape.ny), dtick: shape.tick, ticksuffix: "°", title: { text: text.y, standoff: 4 } },
      yaxis2: { ...axis, domain: [0.85, 1], visible: false, rangemode: "tozero" },
      xaxis2: { ...axis, domain: [0.9, 1], visible: false, rangemode: "tozero" },
      shapes: shape.lines.map((at) => ({ type: "line", x0: at, x1: at, y0: 0, y1: 1, yref: "paper", line: { color: colour("dim"), width: 1, dash: "dot" } }))
        .concat(shape.even ? [{ type: "line", xref: "x", yref: "y2", x0: -180, x1: 180, y0: shape.even, y1: shape.even, line: { color: colour("dim"), width: 1 } }] : []),
    });
    const isNew = !element.data;
    Plotly.react(element, traces, layout, OPTIONS);
    if (isNew) this.listen();
  }

  update() {
    const { z, alongX, alongY } = this.values();
    const [heat, above, beside, dots] = this.element.data;
    Plotly.react(this.element, [{ ...heat, z }, { ...above, y: alongX }, { ...beside, x: alongY }, dots], this.element.layout, OPTIONS);
  }

  listen() {
    const { element, plot, shape } = this;
    const taken = (event) => {
      if (!event || !event.range) return;
      const sorted = (pair, from, n) => pair ? [...pair].sort((a, b) => a - b) : [from, from + n * shape.step];
      choose(plot, { x: sorted(event.range.x, shape.x0, shape.nx), y: sorted(event.range.y, shape.y0, shape.ny) });
    };
    element.on("plotly_selecting", taken);
    element.on("plotly_selected", taken);
    element.on("plotly_deselect", () => choose(plot, null));
    element.on("plotly_doubleclick", () => clearChoice());
    element.on("plotly_hover", (event) => {
      const point = event.points.find((each) => each.customdata !== undefined && each.curveNumber === 3);
      if (point) showTip(content.samples[point.customdata], event.event); else hideTip();
    });
    element.on("plotly_unhover", hideTip);
  }

  clear() {
    Plotly.relayout(this.element, { selections: [] });
    Plotly.restyle(this.element, { selectedpoints: [null] }, [3]);
  }
}

const density = new Density("density",
  { x0: -180, y0: -60, nx: 120, ny: 40, step: 3, wrap: true, least: 4, tick: 30, lines: [-120, -60, 60, 120], even: 100 / 36 },
  { x: "camera yaw", y: "camera pitch", hover: "yaw %{x:.0f}°, pitch %{y:.0f}°<br>%{z:.2f} % in 10° × 10°<extra></extra>" });
// Degrees to each side that hold all but one in two hundred of the kept samples, in steps of 15.
function reach(name, least, most) {
  const away = Array.from(columns[name]).filter((value, i) => value !== NO_ANGLE && !reasonOf[i]).map(Math.abs).sort((a, b) => a - b);
  const high = away.length ? away[Math.floor(0.995 * (away.length - 1))] / 10 : 0;
  return Math.min(most, Math.max(least, 15 * Math.ceil((high + 5) / 15)));
}

const turns = reach("turn", 45, 180), nods = reach("nod", 30, 90);
const head = new Density("head",
  { x0: -turns, y0: -nods, nx: 2 * turns / 3, ny: 2 * nods / 3, step: 3, wrap: false, least: 4, tick: 30, lines: [0] },
  { x: "turn", y: "nod", hover: "turn %{x:.0f}°, nod %{y:.0f}°<br>%{z:.2f} % in 10° × 10°<extra></extra>" });

const histograms = {
  element: document.getElementById("histograms"),
  varied: scores.filter((score) => !score.same),

  shares(score, chosen) {
    const counts = scoreCounts(score, chosen), sum = (values) => values.reduce((a, b) => a + b, 0) || 1;
    const of = (values, whole) => Array.from(values, (value) => 100 * value / whole);
    const text = Array.from(counts.kept, (_, i) => `${counts.chosen[i]} chosen of ${counts.kept[i]} kept, ${counts.rejected[i]} rejected`);
    return { kept: of(counts.kept, sum(counts.kept)), chosen: of(counts.chosen, sum(counts.chosen)),
      rejected: of(counts.rejected, sum(counts.chosen)), text };
  },

  draw() {
    const across = Math.max(1, Math.min(4, Math.floor(this.element.clientWidth / 300)));
    const down = Math.ceil(this.varied.length / across), { axis, layout } = basics(), traces = [], chosen = chosenRows();
    const isChoice = Object.values(boxes).some(Boolean);
    Object.assign(layout, { margin: { l: 8, r: 8, t: 8, b: 8 }, height: 150 * down + 16, barmode: "overlay", bargap: 0.06,
      dragmode: false, annotations: [], shapes: [] });
    this.varied.forEach((score, n) => {
      const step = (score.high - score.low) / BINS, id = n ? n + 1 : "", column = n % across, row = Math.floor(n / across);
      const x = Array.from({ length: BINS }, (_, i) => score.low + (i + 0.5) * step), share = this.shares(score, chosen);
      const top = 1 - row / down, span = 1 / down;
      layout[`xaxis${id}`] = { ...axis, domain: [column / across + 0.008, (column + 1) / across - 0.008], anchor: `y${id}`, range: [score.low, score.high],
        nticks: 5, tickfont: { size: 10, color: colour("dim") }, showgrid: false };
      layout[`yaxis${id}`] = { ...axis, domain: [top - 0.84 * span, top - 0.24 * span], anchor: `x${id}`, visible: false, rangemode: "tozero" };
      const bar = (y, fill, opacity, rest) => traces.push({ type: "bar", x, y, xaxis: `x${id}`, yaxis: `y${id}`, marker: { color: fill, line: { width: 0 } }, opacity, ...rest });
      bar(share.kept, colour("grey"), isChoice ? 1 : 0, { hoverinfo: "skip" });
      bar(share.chosen, colour("blue"), 0.75, { text: share.text, textposition: "none", hovertemplate: `${score.name} %{x:.4~g}<br>%{text}<extra></extra>` });
      bar(share.rejected, colour("red"), 0.8, { hoverinfo: "skip" });
      layout.annotations.push({ text: `<b>${score.name}</b>`, x: column / across + 0.008, y: top - 0.02 * span, xref: "paper", yref: "paper",
        showarrow: false, xanchor: "left", yanchor: "top", font: { size: 12 }, hovertext: score.text });
      for (const limit of score.limits) {
        layout.shapes.push({ type: "line", xref: `x${id}`, yref: `y${id} domain`, x0: limit.value, x1: limit.value, y0: 0, y1: 1.12, line: { color: colour("red"), width: 1.5, dash: "dash" } });
        layout.annotations.push({ text: `${limit.side === "min" ? "≥" : "≤"} ${limit.value}`, x: limit.value, y: 1.12, xref: `x${id}`, yref: `y${id} domain`, showarrow: false,
          xanchor: limit.value > (score.low + score.high) / 2 ? "right" : "left", yanchor: "middle", xshift: limit.value > (score.low + score.high) / 2 ? -3 : 3,
          font: { size: 10, color: colour("red") }, hovertext: limit.address });
      }
    });
    this.element.style.height = `${layout.height}px`;
    Plotly.react(this.element, traces, layout, OPTIONS);
  },

  update() {
    const chosen = chosenRows(), isChoice = Object.values(boxes).some(Boolean), y = [], text = [], opacity = [], numbers = [];
    this.varied.forEach((score, n) => {
      const share = this.shares(score, chosen);
      y.push(share.kept, share.chosen, share.rejected);
      text.push([], share.text, []);
      opacity.push(isChoice ? 1 : 0, 0.75, 0.8);
      numbers.push(3 * n, 3 * n + 1, 3 * n + 2);
    });
    if (numbers.length) Plotly.restyle(this.element, { y, text, opacity }, numbers);
  },
};
