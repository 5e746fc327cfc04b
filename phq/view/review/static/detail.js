// The panel beside the grid: one sample turned in three dimensions, who said what of it, and its numbers.

import * as api from "./api.js";

const TURNS = [
  ["photo", "p", (viewer) => viewer.toPhoto()], ["−30°", "[", (viewer) => viewer.turn(-1)], ["+30°", "]", (viewer) => viewer.turn(1)],
  ["front", "", (viewer) => viewer.from(0)], ["left", "", (viewer) => viewer.from(90)],
  ["back", "", (viewer) => viewer.from(180)], ["right", "", (viewer) => viewer.from(-90)], ["top", "", (viewer) => viewer.fromAbove()],
  ["body", "v", (viewer) => viewer.toggleBody()],
];

const FIRST = ["source_path", "decision", "reason", "detail", "camera_yaw_deg", "camera_pitch_deg", "camera_roll_deg",
  "head_yaw_deg", "head_pitch_deg", "head_roll_deg", "p_flip", "yaw_sigma_deg", "headpose_network",
  "headpose_gate", "headpose_yaw_deg", "headpose_sigma_deg", "head_direction", "head_direction_score", "margin", "score_name"];

export class Detail {
  constructor(root, about, marksOf) {
    Object.assign(this, { root, about, marksOf });
    this.part = (id) => root.querySelector(`#${id}`);
    this.part("turns").append(...TURNS.map(([text, key, turn]) => {
      const button = Object.assign(document.createElement("button"), { textContent: text });
      if (key) button.append(" ", Object.assign(document.createElement("kbd"), { textContent: key }));
      button.onclick = () => this.viewer && turn(this.viewer);
      return button;
    }));
  }

  get open() { return !this.root.hidden; }

  key(name) {
    const turn = TURNS.find(([, key]) => key === name);
    if (turn && this.open && this.viewer) turn[2](this.viewer);
    return turn && this.open;
  }

  toggle(key, revisions) {
    this.root.hidden = this.open;
    this.shown = null;
    if (this.open) this.show(key, revisions);
  }

  // The newest wish wins: what was asked for before is passed over when it comes.
  async show(key, revisions) {
    if (!this.open || !key || this.shown === key) return;
    this.shown = key;
    try {
      const [before, sample, photo, vertices, faces, viewer] = await Promise.all([
        revisions && api.sample(key, revisions[0]), api.sample(key, revisions?.[1]), this.#photo(key), api.bytes(`/vertices/${key}?v=${this.about.state}`),
        api.bytes(`/faces/${key}?v=${this.about.state}`), this.#made(),
      ]);
      if (this.shown !== key) return;
      this.#facts(sample.fields, before?.fields ?? sample.fields);
      this.said();
      viewer?.show(new Float32Array(vertices), new Uint16Array(faces), sample.cam2world, sample.intrinsics, photo);
      this.root.dataset.key = key;
    } catch (error) {
      if (this.shown === key) this.part("facts").replaceChildren(this.#row("error", error.message));
    }
  }

  async #photo(key) {
    const photo = new Image();
    photo.src = `/picture/${key}?size=512`;
    await photo.decode();
    return photo;
  }

  #made() {
    this.making ??= (async () => {
      try {
        const { Viewer } = await import("./viewer.js");
        this.viewer = new Viewer(this.part("view"));
        return this.viewer;
      } catch (error) {
        this.part("no3d").hidden = false;
        this.part("no3d").textContent = `This browser shows no 3D: ${error.message}`;
        return null;
      }
    })();
    return this.making;
  }

  said() {
    if (!this.shown) return;
    const names = Object.fromEntries([...this.about.reasons, this.about.flipped].map((reason) => [reason.name, reason.short]));
    this.part("said").replaceChildren(...this.marksOf(this.shown).map((mark) => {
      const line = document.createElement("p");
      const tag = Object.assign(document.createElement("span"), { className: `tag ${mark.mark}`, textContent: names[mark.reason] ?? mark.mark });
      const who = Object.assign(document.createElement("span"), { textContent: mark.reviewer });
      const time = Object.assign(document.createElement("time"), { textContent: new Date(mark.time).toLocaleString() });
      line.append(tag, who, time);
      return line;
    }));
  }

  #facts(fields, before) {
    const old = Object.fromEntries(before.map(({ name, value }) => [name, value]));
    const words = (value) => (typeof value === "number" ? String(Number(value.toPrecision(6))) : String(value ?? ""));
    const rules = this.about.rules.filter((rule) => rule.address in this.about.thresholds);
    const scores = rules.map((rule) => rule.score);
    const rank = (name) => (FIRST.includes(name) ? FIRST.indexOf(name) : scores.includes(name) ? FIRST.length : 99);
    const ordered = fields.filter(({ value }) => value !== "").sort((a, b) => rank(a.name) - rank(b.name));
    this.part("facts").replaceChildren(...ordered.map(({ name, value, text }) => {
      const shown = words(value) === words(old[name]) ? words(value) : `${words(old[name])} → ${words(value)}`;
      const mine = rules.filter((rule) => rule.score === name);
      const limits = mine.map((rule) => `${rule.side} ${this.about.thresholds[rule.address]}`).join(", ");
      const bad = mine.some((rule) => (rule.side === "min" ? value < this.about.thresholds[rule.address] : value > this.about.thresholds[rule.address]));
      return this.#row(name, shown, limits, bad, text);
    }));
  }

  #row(name, value, limits = "", bad = false, text = "") {
    const row = document.createElement("tr");
    const cells = [name, value].map((content) => Object.assign(document.createElement("td"), { textContent: content }));
    if (limits) cells[1].append(" ", Object.assign(document.createElement("small"), { textContent: limits }));
    cells[1].classList.toggle("bad", bad);
    row.title = text;
    row.append(...cells);
    return row;
  }
}
