// The filters; what they say is kept in the address, so that a reload or a link shows the same samples, and the
// browser's Back undoes the last of them.

import { Histogram } from "./histogram.js";

const MARKED = [
  ["any", "all samples"], ["unmarked", "marked by nobody"], ["not_mine", "not marked by me"], ["mine", "marked by me"],
  ["keep", "marked keep"], ["reject", "marked reject"], ["flip", "marked flip"],
  ["disagree", "reviewers disagree"], ["against", "marks against thresholds"],
];
const VIEW = ["map", "colour", "at"];   // what the address says beside the filters
const isText = (value) => typeof value === "string";
const isPair = (value) => Array.isArray(value) && value.length === 2;
// What an address may say besides texts; all else in it is passed over.
const KINDS = {
  ranges: (value) => typeof value === "object" && Object.values(value ?? {}).every(isPair), compare: isPair,
  reasons: Array.isArray, sources: Array.isArray, splits: Array.isArray, tags: Array.isArray,
  lasso: (value) => Array.isArray(value) && value.every(isPair), map: (value) => value === true, descending: (value) => value === true,
};
const SPACES = { all: "looks and pose", looks: "looks: colours of head, clothes, background", pose: "pose: directions of torso and head", face: "face" };
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
    addEventListener("popstate", () => this.#reread());   // Back, and an address that was typed or pasted
  }

  // What the server is asked.
  get query() { return Object.fromEntries(Object.entries(this.choice).filter(([name]) => !VIEW.includes(name))); }

  #reread() {
    this.choice = this.#read();
    this.#build();
    this.onChange();
  }

  // Sets several at once, null for none of it.
  put(values) {
    Object.assign(this.choice, values);
    this.#changed();
    this.#build();
  }

  // Address of what is shown, with more said in it.
  address(more = {}) {
    const said = Object.fromEntries(Object.entries({ ...this.choice, ...more }).filter(([, value]) => !this.#idle(value)));
    return `${location.pathname}${Object.keys(said).length ? `#${encodeURIComponent(JSON.stringify(said))}` : ""}`;
  }

  #read() {
    let said = {};
    try { said = Object(JSON.parse(decodeURIComponent(location.hash.slice(1)))); } catch { /* no address of ours */ }
    return Object.fromEntries(Object.entries(said).filter(([name, value]) => (KINDS[name] ?? isText)(value)));
  }

  #changed(isTyping = false) {
    this.choice = Object.fromEntries(Object.entries(this.choice).filter(([, value]) => !this.#idle(value)));
    const address = this.address();
    if (address !== location.pathname + location.hash) history[isTyping ? "replaceState" : "pushState"](null, "", address);
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
      ...this.#named(), this.#title("Marks"), this.#select("marked", [...MARKED, ...this.about.reasons.map((reason) => [reason.name, `rejected: ${reason.short}`])]),
      this.#title("Order"), ...this.#order(),
      this.#title("Yaw of the torso"), this.#score("camera_yaw_deg"), this.#sides(),
      ...this.#scores(),
      this.tagList = make("div"), ...this.#compare(),
      ...this.#words("reasons", "Reason of the thresholds", words.reason, "(kept)"),
      ...this.#words("sources", "Source", words.source, "(not stated)"),
      ...this.#words("splits", "Split", words.split, "(none)"),
      this.#title("Path or key"), this.#text(),
      make("div", { className: "row" }, make("button", { textContent: "Clear all filters", onclick: () => this.clear() })),
    );
    this.setTags(this.tags ?? this.about.tags);
    const hidden = this.about.hidden;
    if (hidden) this.root.append(make("p", { textContent: `Rejects without a stored picture, not shown: ${hidden}` }));
  }

  clear() {
    const { map, colour } = this.choice;
    this.choice = { map, colour };
    this.#changed();
    this.#build();
  }

  #title(text, ...extra) { return make("h3", {}, text, ...extra); }

  #select(name, options) {
    const select = make("select", { ariaLabel: name }, ...options.map(([value, text]) => option(value, text)));
    select.id = `filter-${name}`;
    select.value = this.choice[name] ?? options[0][0];
    select.onchange = () => this.#set(name, select.value);
    return select;
  }

  // What is chosen elsewhere than here: each can be taken away.
  #named() {
    const { like, only, lasso, order } = this.choice;
    const count = (keys) => keys.split(".").length;
    const said = [];
    if (like) said.push([count(like) > 1 ? `like ${count(like)} samples` : `like ${like.slice(0, 8)}`, { like: null, order: order === "similar" ? null : order }]);
    if (only) said.push([`${count(only)} chosen samples`, { only: null }]);
    if (lasso?.length) said.push(["inside the lasso", { lasso: null }]);
    if (!said.length) return [];
    const chip = ([text, without]) => make("button", { textContent: `${text} ×`, title: "remove this filter", onclick: () => this.put(without) });
    return [make("div", { className: "chips" }, ...said.map(chip))];
  }

  #order() {
    const { histograms, rules, spaces } = this.about;
    const names = Object.keys(histograms).filter((name) => histograms[name].least < histograms[name].most);
    const ruled = new Set(rules.map((rule) => rule.score));
    const group = (label, some) => make("optgroup", { label }, ...some.map((name) => option(name, naming(name))));
    const select = this.#select("order", [["", "as in the dataset"], ["near", "nearest to a threshold first"], ["apart", "unlike all others first"],
      ...(this.choice.like ? [["similar", "most similar first"]] : []), ...(this.choice.compare ? [["changed", "most changed first"]] : [])]);
    select.append(group("scores with thresholds", names.filter((name) => ruled.has(name))), group("other numbers", names.filter((name) => !ruled.has(name))));
    select.value = this.choice.order ?? "";
    const down = make("input", { type: "checkbox", checked: !!this.choice.descending });
    down.onchange = () => this.#set("descending", down.checked);
    const space = this.#select("space", spaces.map((name) => [name, SPACES[name] ?? name]));
    space.ariaLabel = "alike by";
    return [make("div", { className: "row" }, select, make("label", { className: "fix" }, down, " falling")), this.#title("Alike by"), space];
  }

  #compare() {
    const { revisions } = this.about;
    if (revisions.length < 2) return [];
    const names = (last) => [...revisions.slice(0, last).map((name) => [name, name === "none" ? "as built" : name])];
    const [left, right] = this.choice.compare ?? [null, ""];
    const select = (label, value, options) => {
      const made = make("select", { ariaLabel: label }, ...options.map(([name, text]) => option(name, text)));
      made.value = value;
      return made;
    };
    const before = select("left: labels of", left ?? "-", [["-", "do not compare"], ...names()]);
    const after = select("right: labels of", right, [["", "latest"], ...names()]);
    before.id = "compare-left";
    after.id = "compare-right";
    before.onchange = after.onchange = () => {
      const on = before.value !== "-";
      const order = on ? "changed" : this.choice.order === "changed" ? null : this.choice.order;
      this.put({ compare: on ? [before.value, after.value] : null, order });
      this.root.querySelector("#compare-left").focus();
    };
    return [this.#title("Compare labels"), make("div", { className: "row" }, before, after)];
  }

  // Tags and how many samples have each, as they are by now.
  setTags(tags) {
    this.tags = tags;
    const said = JSON.stringify([tags, this.choice.tags]);
    if (said === this.tagList.dataset.said) return;
    this.tagList.dataset.said = said;
    this.tagList.replaceChildren(...this.#words("tags", "Tags", tags, "", 1));
  }

  #score(name) {
    const { rules, thresholds, angles, histograms } = this.about;
    const ranges = () => this.choice.ranges ?? {};
    const histogram = new Histogram(histograms[name], {
      name: naming(name),
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
    const { histograms } = this.about;
    const names = Object.keys(histograms).filter((name) => name !== "camera_yaw_deg" && histograms[name].least < histograms[name].most);
    const chosen = Object.keys(this.choice.ranges ?? {}).filter((name) => name !== "camera_yaw_deg" && name in histograms);
    const shown = make("div");
    const add = make("select", { id: "add-score", ariaLabel: "filter by a score" }, option("", "filter by a score…"),
      ...names.map((name) => option(name, naming(name))));
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
    add.onchange = () => { if (add.value) put(add.value); add.value = ""; };
    return [this.#title("Scores"), add, shown];
  }

  #words(name, title, counts, empty, least = 2) {
    const kinds = Object.entries(counts);
    if (kinds.length < least) return [];
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
    const field = make("input", { type: "text", id: "filter-text", ariaLabel: "path or key", value: this.choice.text ?? "", spellcheck: false, placeholder: "part of it" });
    field.oninput = () => { this.choice.text = field.value; this.#changed(true); };
    return field;
  }
}
