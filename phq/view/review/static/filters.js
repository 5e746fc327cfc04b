// The filters; what they say is kept in the address, so that a reload or a link shows the same samples.

import { Histogram } from "./histogram.js";

const MARKED = [
  ["any", "all samples"], ["unmarked", "marked by nobody"], ["not_mine", "not marked by me"], ["mine", "marked by me"],
  ["keep", "marked keep"], ["reject", "marked reject"], ["flip", "marked flip"],
  ["disagree", "reviewers disagree"], ["against", "marks against thresholds"],
];
const SIDES = [["front", [-45, 45]], ["left", [45, 135]], ["back", [135, -135]], ["right", [-135, -45]], ["all", null]];
const NAMES = { camera_yaw_deg: "yaw of the torso", camera_pitch_deg: "pitch of the camera", head_yaw_deg: "yaw of the head",
  margin: "margin to the nearest threshold" };

const make = (tag, props = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), props);
  element.append(...children);
  return element;
};
const option = (value, text) => make("option", { value, textContent: text });
export const naming = (name) => NAMES[name] ?? name.replaceAll("_", " ");

export class Filters {
  constructor(root, about, onChange) {
    Object.assign(this, { root, about, onChange });
    this.choice = this.#read();
    this.#build();
  }

  #read() {
    try { return JSON.parse(decodeURIComponent(location.hash.slice(1))) ?? {}; } catch { return {}; }
  }

  #changed() {
    const said = Object.fromEntries(Object.entries(this.choice).filter(([, value]) => !this.#idle(value)));
    const hash = Object.keys(said).length ? `#${encodeURIComponent(JSON.stringify(said))}` : " ";
    history.replaceState(null, "", hash === " " ? location.pathname : hash);
    this.choice = said;
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.onChange(), 60);
  }

  #idle(value) {
    return value == null || value === "" || value === false || value === "any"
      || (typeof value === "object" && !Array.isArray(value) && !Object.keys(value).length);
  }

  #set(name, value) {
    this.choice[name] = value;
    this.#changed();
  }

  #build() {
    const { words } = this.about;
    this.root.replaceChildren(
      this.#title("Marks"), this.#select("marked", [...MARKED, ...this.about.reasons.map((reason) => [reason.name, `rejected: ${reason.short}`])]),
      this.#title("Order"), this.#order(),
      this.#title("Yaw of the torso"), this.#score("camera_yaw_deg"), this.#sides(),
      ...this.#scores(),
      ...this.#words("reasons", "Reason of the thresholds", words.reason, "(kept)"),
      ...this.#words("sources", "Source", words.source, "(not stated)"),
      ...this.#words("splits", "Split", words.split, "(none)"),
      this.#title("Path or key"), this.#text(),
      make("div", { className: "row" }, make("button", { textContent: "Clear all filters", onclick: () => this.clear() })),
    );
    const hidden = this.about.hidden;
    if (hidden) this.root.append(make("p", { textContent: `Rejects without a stored picture, not shown: ${hidden}` }));
  }

  clear() {
    this.choice = {};
    this.#build();
    this.#changed();
  }

  #title(text, ...extra) { return make("h3", {}, text, ...extra); }

  #select(name, options) {
    const select = make("select", { ariaLabel: name }, ...options.map(([value, text]) => option(value, text)));
    select.id = `filter-${name}`;
    select.value = this.choice[name] ?? options[0][0];
    select.onchange = () => { this.#set(name, select.value); select.blur(); };
    return select;
  }

  #order() {
    const scores = Object.keys(this.about.histograms);
    const select = this.#select("order", [["", "as in the dataset"], ["near", "nearest to a threshold first"],
      ...scores.map((name) => [name, naming(name)])]);
    const down = make("input", { type: "checkbox", checked: !!this.choice.descending });
    down.onchange = () => this.#set("descending", down.checked);
    return make("div", { className: "row" }, select, make("label", { className: "fix" }, down, " falling"));
  }

  #score(name) {
    const { rules, thresholds, angles, histograms } = this.about;
    const ranges = () => this.choice.ranges ?? {};
    const histogram = new Histogram(histograms[name], {
      round: angles.includes(name),
      thresholds: rules.filter((rule) => rule.score === name && rule.address in thresholds).map((r) => thresholds[r.address]),
      range: ranges()[name] ?? null,
      onRange: (range) => {
        const { [name]: _, ...rest } = ranges();
        this.#set("ranges", range ? { ...rest, [name]: range } : rest);
      },
    });
    if (name === "camera_yaw_deg") this.yaw = histogram;
    histogram.root.dataset.score = name;
    return histogram.root;
  }

  #sides() {
    return make("div", { className: "row presets" }, ...SIDES.map(([text, range]) =>
      make("button", { textContent: text, onclick: () => this.yaw.set(range) })));
  }

  #scores() {
    const chosen = Object.keys(this.choice.ranges ?? {}).filter((name) => name !== "camera_yaw_deg" && name in this.about.histograms);
    const shown = make("div");
    const add = make("select", { id: "add-score", ariaLabel: "filter by a score" }, option("", "filter by a score…"),
      ...Object.keys(this.about.histograms).filter((name) => name !== "camera_yaw_deg").map((name) => option(name, naming(name))));
    const put = (name) => {
      if (shown.querySelector(`[data-score="${name}"]`)) return;
      const block = make("div");
      const away = make("button", { textContent: "×", title: "remove this filter", onclick: () => {
        block.remove();
        const { [name]: _, ...rest } = this.choice.ranges ?? {};
        this.#set("ranges", rest);
      } });
      block.append(this.#title(naming(name), away), this.#score(name));
      shown.append(block);
    };
    chosen.forEach(put);
    add.onchange = () => { if (add.value) put(add.value); add.value = ""; add.blur(); };
    return [this.#title("Scores"), add, shown];
  }

  #words(name, title, counts, empty) {
    const kinds = Object.entries(counts);
    if (kinds.length < 2) return [];
    const list = make("ul", { className: "choices" });
    list.dataset.filter = name;
    for (const [kind, count] of kinds) {
      const box = make("input", { type: "checkbox", value: kind, checked: this.choice[name]?.includes(kind) ?? false });
      box.onchange = () => {
        const on = [...list.querySelectorAll("input:checked")].map((each) => each.value);
        this.#set(name, on.length ? on : null);
      };
      const text = make("span", { className: "text", textContent: kind || empty, title: kind });
      list.append(make("li", {}, make("label", {}, box, text, make("span", { className: "count", textContent: count }))));
    }
    return [this.#title(title), list];
  }

  #text() {
    const field = make("input", { type: "text", id: "filter-text", value: this.choice.text ?? "", spellcheck: false, placeholder: "part of it" });
    field.oninput = () => this.#set("text", field.value);
    return field;
  }
}
