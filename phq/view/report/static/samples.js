"use strict";
// The samples as typed arrays, and which of them are chosen.

const content = JSON.parse(document.getElementById("content").textContent);
const UNKNOWN = 255, NO_ANGLE = -32768, BINS = content.bins;
const ANGLES = ["yaw", "pitch", "turn", "nod"];

function bytes(base64) {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

function tenths(base64) {
  const view = new DataView(bytes(base64).buffer), values = new Int16Array(view.byteLength / 2);
  for (let i = 0; i < values.length; i++) values[i] = view.getInt16(2 * i, true);
  return values;
}

const columns = Object.fromEntries(ANGLES.map((name) => [name, tenths(content.columns[name])]));
const reasonOf = bytes(content.columns.reason);  // 0: kept
const scores = content.scores.map((score) => ({ ...score, bins: bytes(score.bins) }));
const count = reasonOf.length;
// What is dragged over: a box over two angles, degrees, or null.
const boxes = { density: null, head: null };
const AXES = { density: ["yaw", "pitch"], head: ["turn", "nod"] };

function isInside(box, x, y) {
  return x >= box.x[0] && x <= box.x[1] && y >= box.y[0] && y <= box.y[1];
}

// Whether each row is in every box but that of the plot `except`.
function chosenRows(except) {
  const chosen = new Uint8Array(count).fill(1);
  for (const [plot, box] of Object.entries(boxes)) {
    if (!box || plot === except) continue;
    const [x, y] = AXES[plot].map((name) => columns[name]);
    for (let i = 0; i < count; i++) {
      if (x[i] === NO_ANGLE || !isInside(box, x[i] / 10, y[i] / 10)) chosen[i] = 0;
    }
  }
  return chosen;
}

function isChosen(sample) {
  return Object.entries(boxes).every(([plot, box]) => {
    const [x, y] = AXES[plot].map((name) => sample[name]);
    return !box || (x !== undefined && isInside(box, x, y));
  });
}

// Kept, chosen rows counted on a grid; outside values are left out. `wrap`: x goes round the circle.
function grid(xName, yName, chosen, shape) {
  const x = columns[xName], y = columns[yName], cells = new Float64Array(shape.nx * shape.ny);
  let total = 0;
  for (let i = 0; i < count; i++) {
    if (reasonOf[i] || !chosen[i] || x[i] === NO_ANGLE) continue;
    total++;
    let column = Math.floor((x[i] / 10 - shape.x0) / shape.step);
    if (shape.wrap) column = (column + shape.nx) % shape.nx;
    const row = Math.floor((y[i] / 10 - shape.y0) / shape.step);
    if (column >= 0 && column < shape.nx && row >= 0 && row < shape.ny) cells[row * shape.nx + column]++;
  }
  return { cells, total };
}

function kernel(sigma) {
  const reach = Math.ceil(3 * sigma), weights = [];
  for (let i = -reach; i <= reach; i++) weights.push(Math.exp(-0.5 * (i / sigma) ** 2));
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => weight / sum);
}

// Smoothed by Gaussians, sigma in cells; rows of numbers.
function smooth(cells, { nx, ny, wrap }, sigmaX, sigmaY) {
  const rows = [], kx = kernel(sigmaX), ky = kernel(sigmaY), rx = (kx.length - 1) / 2, ry = (ky.length - 1) / 2;
  const half = new Float64Array(nx * ny);
  for (let j = 0; j < ny; j++) for (let i = 0; i < nx; i++) {
    const value = cells[j * nx + i];
    if (value) kx.forEach((weight, k) => {
      let place = i + k - rx;
      if (wrap) place = (place + nx) % nx;
      if (place >= 0 && place < nx) half[j * nx + place] += weight * value;
    });
  }
  for (let j = 0; j < ny; j++) {
    const row = new Array(nx).fill(0);
    ky.forEach((weight, k) => {
      const from = j + k - ry;
      if (from >= 0 && from < ny) for (let i = 0; i < nx; i++) row[i] += weight * half[from * nx + i];
    });
    rows.push(row);
  }
  return rows;
}

// Samples in each bin of a score: of all kept, of the chosen, and of the rejected that are chosen.
function scoreCounts(score, chosen) {
  const counts = { kept: new Float64Array(BINS), chosen: new Float64Array(BINS), rejected: new Float64Array(BINS) };
  for (let i = 0; i < count; i++) {
    const bin = score.bins[i];
    if (bin === UNKNOWN) continue;
    if (!reasonOf[i]) counts.kept[bin]++;
    if (chosen[i]) counts[reasonOf[i] ? "rejected" : "chosen"][bin]++;
  }
  return counts;
}
