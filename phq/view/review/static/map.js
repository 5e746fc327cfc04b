// The map: every sample is a point, and near ones are alike. Points are written into one bitmap, which takes a few
// milliseconds for 100,000. A lasso is drawn by dragging, or corner by corner from the keyboard.

const UNKNOWN = -32768;
const FULL = 32767;
const REACH = 10;           // px within which the mouse finds a point
const CORNERS = 100;        // most corners of a lasso
const AHEAD = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };
const RAMP = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];   // viridis

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const rgba = (r, g, b) => (255 << 24) | (b << 16) | (g << 8) | r;

function ramp(part) {
  const at = Math.min(0.9999, Math.max(0, part)) * (RAMP.length - 1);
  const [from, to] = [RAMP[Math.floor(at)], RAMP[Math.floor(at) + 1]];
  return rgba(...from.map((value, i) => value + (at % 1) * (to[i] - value)));
}

function wheel(part) {
  return rgba(...[0, 2 / 3, 1 / 3].map((shift) => 128 + 110 * Math.cos(2 * Math.PI * (part + shift))));
}

// Convex hull of points, by Andrew's monotone chain.
function hull(points) {
  const sorted = [...points].sort(([a, b], [c, d]) => a - c || b - d);
  const half = (some) => some.reduce((chain, [x, y]) => {
    while (chain.length > 1) {
      const [[x0, y0], [x1, y1]] = chain.slice(-2);
      if ((x1 - x0) * (y - y0) - (y1 - y0) * (x - x0) > 0) break;
      chain.pop();
    }
    return [...chain, [x, y]];
  }, []).slice(0, -1);
  return [...half(sorted), ...half(sorted.reverse())];
}

export class SampleMap {
  constructor(canvas, { onLasso, onGo, onHover }) {
    Object.assign(this, { canvas, onLasso, onGo, onHover });
    this.places = new Int16Array(0);
    this.colours = new Uint32Array(0);
    this.shown = new Uint8Array(0);     // 1 for what the grid shows
    this.lasso = [];                    // corners, −1 to 1
    this.drawing = null;
    this.zoom = { x: 0, y: 0, scale: 1 };
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => { if (!this.drawing) this.onHover(this.#near(event), event); });
    canvas.addEventListener("pointerleave", (event) => this.onHover(-1, event));
    canvas.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    canvas.addEventListener("dblclick", () => this.#zoomTo({ x: 0, y: 0, scale: 1 }));
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: light)").addEventListener("change", () => this.draw());
  }

  setPlaces(places) {
    this.places = places;
    this.zoom = { x: 0, y: 0, scale: 1 };
    this.draw();
  }

  // Points coloured by a number each, between two ends; round ones by the colour wheel.
  setColours(values, low, high, round) {
    const steps = Array.from({ length: 256 }, (_, i) => (round ? wheel(i / 256) : ramp(i / 255)));
    const grey = rgba(128, 128, 128);
    this.colours = Uint32Array.from(values, (value) => (Number.isNaN(value) ? grey
      : steps[Math.max(0, Math.min(255, Math.round((255 * (value - low)) / (high - low || 1))))]));
    this.draw();
  }

  setView(view, number) {
    this.shown = new Uint8Array(this.places.length / 2);
    for (const each of view) this.shown[each] = 1;
    this.here = number;
    this.draw();
  }

  go(number) {
    this.here = number;
    this.draw();
  }

  setLasso(corners) {
    this.lasso = corners;
    this.draw();
  }

  // From the map's units to pixels of the canvas, and back.
  #side() { return Math.min(this.canvas.clientWidth, this.canvas.clientHeight) / 2 - 8; }

  #pixel([x, y]) {
    const { zoom } = this, side = this.#side() * zoom.scale;
    return [this.canvas.clientWidth / 2 + (x - zoom.x) * side, this.canvas.clientHeight / 2 + (y - zoom.y) * side];
  }

  #unit(event) {
    const box = this.canvas.getBoundingClientRect(), { zoom } = this, side = this.#side() * zoom.scale;
    return [(event.clientX - box.left - box.width / 2) / side + zoom.x, (event.clientY - box.top - box.height / 2) / side + zoom.y];
  }

  #at(number) {
    const x = this.places[2 * number];
    return x === undefined || x === UNKNOWN ? null : [x / FULL, this.places[2 * number + 1] / FULL];
  }

  #best(from, score) {
    let best = -1, least = Infinity;
    for (let i = 0; i < this.shown.length; i++) {
      if (!this.shown[i] || this.places[2 * i] === UNKNOWN) continue;
      const found = score(this.places[2 * i] / FULL - from[0], this.places[2 * i + 1] / FULL - from[1], i);
      if (found < least) [best, least] = [i, found];
    }
    return [best, least];
  }

  #near(event) {
    const [best, least] = this.#best(this.#unit(event), (x, y) => x * x + y * y);
    return Math.sqrt(least) * this.#side() * this.zoom.scale <= REACH ? best : -1;
  }

  #down(event) {
    if (event.button) return;
    this.canvas.focus();
    this.canvas.setPointerCapture(event.pointerId);
    const start = [event.clientX, event.clientY];
    this.drawing = [this.#unit(event)];
    const move = (moved) => {
      this.drawing.push(this.#unit(moved));
      this.draw();
    };
    const up = (moved) => {
      this.canvas.removeEventListener("pointermove", move);
      const drawn = this.drawing;
      this.drawing = null;
      if (moved.type === "pointerup" && Math.hypot(moved.clientX - start[0], moved.clientY - start[1]) < 4 && drawn.length < 8) {
        const near = this.#near(moved);
        if (near >= 0) this.onGo(near);
      } else if (moved.type === "pointerup") this.#close(drawn);
      this.draw();
    };
    this.canvas.addEventListener("pointermove", move);
    this.canvas.addEventListener("pointerup", up, { once: true });
    this.canvas.addEventListener("pointercancel", up, { once: true });
  }

  #close(drawn) {
    const each = Math.ceil(drawn.length / CORNERS);
    const corners = drawn.filter((_, i) => i % each === 0).map((corner) => corner.map((value) => Number(value.toFixed(4))));
    if (corners.length >= 3) this.onLasso(corners);
  }

  // Whether a key was meant for the map.
  key(event) {
    const { key } = event;
    if (key in AHEAD) this.#step(AHEAD[key]);
    else if (key === "l") this.#corner();
    else if (key === "Enter" && this.drawing) this.#finish();
    else if (key === "Escape" && this.drawing) { this.drawing = null; this.draw(); }
    else if (key === "+" || key === "-") this.#zoomTo({ ...this.#centre(), scale: this.zoom.scale * (key === "+" ? 1.5 : 1 / 1.5) });
    else return false;
    return true;
  }

  // To the nearest sample that way; what is aside counts double.
  #step([dx, dy]) {
    const from = this.#at(this.here) ?? [0, 0];
    const [best] = this.#best(from, (x, y, i) => {
      const ahead = x * dx + y * dy, aside = Math.abs(x * dy - y * dx);
      return i === this.here || ahead <= 0 || aside > 2 * ahead ? Infinity : ahead + 2 * aside;
    });
    if (best >= 0) this.onGo(best);
  }

  #corner() {
    const at = this.#at(this.here);
    if (at) this.drawing = [...(this.drawing ?? []), at];
    this.draw();
  }

  // The corners are samples, which are meant too: the lasso goes around all of them.
  #finish() {
    const by = 0.02 / this.zoom.scale;
    const around = this.drawing.flatMap(([x, y]) => [[x + by, y], [x - by, y], [x, y + by], [x, y - by]]);
    this.drawing = null;
    this.#close(hull(around));
    this.draw();
  }

  #centre() {
    const at = this.#at(this.here);
    return at ? { x: at[0], y: at[1] } : this.zoom;
  }

  #wheel(event) {
    event.preventDefault();
    const [x, y] = this.#unit(event), by = Math.exp(-event.deltaY / 400);
    this.#zoomTo({ x: x + (this.zoom.x - x) / by, y: y + (this.zoom.y - y) / by, scale: this.zoom.scale * by });
  }

  #zoomTo(zoom) {
    this.zoom = zoom.scale <= 1 ? { x: 0, y: 0, scale: 1 } : { ...zoom, scale: Math.min(zoom.scale, 200) };
    this.draw();
  }

  draw() { this.waiting ??= requestAnimationFrame(() => { this.waiting = undefined; this.#draw(); }); }

  #draw() {
    const { canvas } = this, dpr = devicePixelRatio;
    const [width, height] = [Math.round(canvas.clientWidth * dpr), Math.round(canvas.clientHeight * dpr)];
    if (!width || !height) return;
    if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
    const pen = canvas.getContext("2d");
    const bitmap = pen.createImageData(width, height);
    this.#points(new Uint32Array(bitmap.data.buffer), width, height, dpr);
    pen.putImageData(bitmap, 0, 0);
    pen.setTransform(dpr, 0, 0, dpr, 0, 0);
    this.#line(pen, this.lasso, true);
    if (this.drawing) this.#line(pen, this.drawing, false);
    const at = this.#at(this.here);
    if (at) this.#ring(pen, this.#pixel(at));
    pen.setTransform(1, 0, 0, 1, 0, 0);
  }

  // First what the filters hide, grey and small, then what the grid shows.
  #points(pixels, width, height, dpr) {
    const grey = parseInt(css("--dot").slice(1), 16);
    const hidden = rgba(grey >> 16, (grey >> 8) & 255, grey & 255);
    const count = this.places.length / 2;
    const [x0, y0] = this.#pixel([0, 0]), side = this.#side() * this.zoom.scale;
    const large = Math.max(1, Math.round(dpr * (count > 20000 ? 2 : count > 2000 ? 3 : count > 500 ? 5 : count > 60 ? 8 : 14) * Math.min(2, this.zoom.scale ** 0.3)));
    for (const wanted of [0, 1]) {
      const size = wanted ? large : Math.max(1, large - 1);
      for (let i = 0; i < count; i++) {
        if (this.shown[i] !== wanted || this.places[2 * i] === UNKNOWN) continue;
        const left = Math.round((x0 + (this.places[2 * i] / FULL) * side) * dpr - size / 2);
        const top = Math.round((y0 + (this.places[2 * i + 1] / FULL) * side) * dpr - size / 2);
        if (left < 0 || top < 0 || left + size > width || top + size > height) continue;
        const colour = wanted ? this.colours[i] : hidden;
        for (let row = top; row < top + size; row++) pixels.fill(colour, row * width + left, row * width + left + size);
      }
    }
  }

  #line(pen, corners, closed) {
    if (!corners.length) return;
    pen.beginPath();
    for (const corner of corners) pen.lineTo(...this.#pixel(corner));
    if (closed) pen.closePath();
    pen.strokeStyle = css("--here");
    pen.lineWidth = 2;
    pen.stroke();
    pen.fillStyle = `${css("--here")}22`;
    pen.fill();
    if (!closed) for (const corner of corners.slice(0, 1)) this.#ring(pen, this.#pixel(corner));
  }

  #ring(pen, [x, y]) {
    for (const [colour, wide] of [[css("--panel"), 5], [css("--here"), 2.5]]) {
      pen.beginPath();
      pen.arc(x, y, 8, 0, 2 * Math.PI);
      pen.strokeStyle = colour;
      pen.lineWidth = wide;
      pen.stroke();
    }
  }
}
