// A histogram whose range is chosen by dragging, or typed. A round one may go over its seam.

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name);
const short = (value) => String(Number(value.toPrecision(4)));

export class Histogram {
  constructor(data, { name, round = false, thresholds = [], range = null, onRange }) {
    Object.assign(this, { data, round, thresholds, range, onRange });
    this.root = Object.assign(document.createElement("div"), { className: "histogram" });
    this.canvas = document.createElement("canvas");
    const row = Object.assign(document.createElement("div"), { className: "row" });
    this.fields = ["from", "to"].map((label) => {
      const field = Object.assign(document.createElement("input"), { type: "text", inputMode: "decimal" });
      field.setAttribute("aria-label", `${name} ${label}`);
      field.addEventListener("change", () => this.#typed());
      row.append(field);
      return field;
    });
    this.root.append(this.canvas, row);
    this.canvas.title = "drag to choose a range, double-click for all";
    this.canvas.addEventListener("pointerdown", (event) => this.#down(event));
    this.canvas.addEventListener("dblclick", () => this.set(null));
    new ResizeObserver(() => this.draw()).observe(this.canvas);
    matchMedia("(prefers-color-scheme: light)").addEventListener("change", () => this.draw());
    this.#fill();
  }

  set(range) {
    this.range = range;
    this.#fill();
    this.draw();
    this.onRange(range);
  }

  #fill() {
    const [from, to] = this.range ?? [this.data.least, this.data.most];
    this.fields[0].value = short(from);
    this.fields[1].value = short(to);
  }

  #typed() {
    const [from, to] = this.fields.map((field) => Number(field.value.replace(",", ".")));
    const usable = Number.isFinite(from) && Number.isFinite(to) && (this.round || from <= to);
    if (usable) this.set([from, to]); else this.#fill();
  }

  #value(event) {
    const box = this.canvas.getBoundingClientRect();
    const part = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    return this.data.low + part * (this.data.high - this.data.low);
  }

  #down(event) {
    const start = this.#value(event);
    this.canvas.setPointerCapture(event.pointerId);
    const move = (moved) => {
      const end = this.#value(moved);
      this.range = this.#opened(Math.min(start, end), Math.max(start, end));
      this.#fill();
      this.draw();
    };
    const up = (moved) => {
      this.canvas.removeEventListener("pointermove", move);
      if (Math.abs(this.#value(moved) - start) > (this.data.high - this.data.low) / 200) this.set(this.range);
    };
    this.canvas.addEventListener("pointermove", move);
    this.canvas.addEventListener("pointerup", up, { once: true });
  }

  // A range dragged to an end of the picture takes in what lies beyond it.
  #opened(from, to) {
    const { low, high, least, most } = this.data;
    return [from <= low ? Math.min(low, least) : from, to >= high ? Math.max(high, most) : to];
  }

  draw() {
    const { canvas, data } = this;
    const scale = devicePixelRatio;
    const [width, height] = [canvas.clientWidth * scale, canvas.clientHeight * scale];
    if (!width) return;
    [canvas.width, canvas.height] = [width, height];
    const pen = canvas.getContext("2d");
    const most = Math.max(...data.counts, 1);
    const step = width / data.counts.length;
    const at = (value) => ((value - data.low) / (data.high - data.low)) * width;
    data.counts.forEach((count, i) => {
      const middle = data.low + ((i + 0.5) / data.counts.length) * (data.high - data.low);
      pen.fillStyle = css(this.#inside(middle) ? "--here" : "--line");
      const tall = count ? Math.max(scale, Math.sqrt(count / most) * (height - 3 * scale)) : 0;
      pen.fillRect(i * step, height - tall, Math.max(step - scale, 1), tall);
    });
    pen.fillStyle = css("--reject");
    for (const threshold of this.thresholds) pen.fillRect(at(threshold) - scale / 2, 0, scale, height);
  }

  #inside(value) {
    if (!this.range) return true;
    const [from, to] = this.range;
    return this.round && from > to ? value >= from || value <= to : value >= from && value <= to;
  }
}
