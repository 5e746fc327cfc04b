"use strict";
// Cards, strips, and the tip. Text goes in as text: nothing of a dataset is ever read as HTML.

function make(tag, attributes, ...children) {
  const element = Object.assign(document.createElement(tag), attributes);
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

const image = (base64, className) =>
  make("img", { src: `data:image/webp;base64,${base64}`, className: className || "", alt: "", decoding: "async", draggable: false });
const degrees = (value) => value === undefined ? "?" : `${String(Math.round(value) + 0).replace("-", "−")}°`;
const number = (value) => value.toLocaleString("en");
const percent = (part, whole) => whole ? `${(100 * part / whole).toFixed(1)} %` : "0 %";
const SAID = {
  margin: (sample) => sample.margin === undefined || !sample.score_name ? "" : `${sample.margin >= 0 ? "+" : ""}${sample.margin.toFixed(2)}`,
  flip: (sample) => sample.flip === undefined ? "" : `${(100 * sample.flip).toFixed(sample.flip < 0.01 ? 2 : 0)} %`,
  sigma: (sample) => sample.sigma === undefined ? "" : `σ ${sample.sigma.toFixed(0)}°`,
  apart: (sample) => sample.apart === undefined ? "" : sample.apart.toFixed(2),
  yaw: () => "",
};
// The place of a score in a sample's values, and whether high ones come first, from the name of an order: "high 3".
const scoreOrder = (order) => ((found) => found && { score: Number(found[2]), sign: found[1] === "high" ? -1 : 1 })(/^(low|high) (\d+)$/.exec(order));

function said(sample, order) {
  const by = scoreOrder(order);
  if (!by) return SAID[order](sample);
  return sample.values[by.score] === null ? "" : String(sample.values[by.score]);
}
SAID.p_flip = SAID.flip;
SAID.yaw_sigma_deg = SAID.sigma;

// A picture with its yaw and what the order says of it; a click, or Enter, asks for the samples most like it.
function card(sample, order) {
  const shown = sample.picture ? image(sample.picture)
    : make("div", { className: "none" }, sample.source_path.split("/").pop());
  const caption = make("figcaption", {}, make("span", {}, sample.yaw === undefined ? "" : degrees(sample.yaw)), make("span", {}, said(sample, order)));
  const element = make("figure", { className: sample.kept ? "card" : "card rejected", tabIndex: 0 }, shown, caption);
  element.addEventListener("mousemove", (event) => showTip(sample, event));
  element.addEventListener("mouseleave", hideTip);
  element.addEventListener("focus", () => showTip(sample, corner(element)));
  element.addEventListener("blur", hideTip);
  if (sample.near.length) {
    element.addEventListener("click", () => showLike(sample));
    element.addEventListener("keydown", (event) => { if (event.key === "Enter") showLike(sample); });
  }
  return element;
}

function corner(element) {
  const { right, top } = element.getBoundingClientRect();
  return { clientX: right, clientY: top };
}

const tip = document.getElementById("tip");

function showTip(sample, at) {
  const facts = [
    ["camera", `${degrees(sample.yaw)} yaw, ${degrees(sample.pitch)} pitch`],
    ["head to torso", `${degrees(sample.turn)} turn, ${degrees(sample.nod)} nod`],
    ["yaw uncertain by", sample.sigma === undefined ? "?" : `${sample.sigma.toFixed(1)}°`],
    ["flip risk", SAID.flip(sample) || "?"],
    ["distance to others", SAID.apart(sample) || "?"],
    ["nearest threshold", sample.score_name ? `${sample.score_name} ${SAID.margin(sample)}` : "none"],
    ["key", sample.key || "none"],
  ];
  tip.replaceChildren(
    ...(sample.picture ? [image(sample.picture)] : []),
    make("div", { className: "path" }, sample.source_path),
    ...(sample.kept ? [] : [make("div", { className: "why" }, sample.detail || sample.reason)]),
    make("dl", {}, ...facts.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)])));
  tip.hidden = false;
  const { width, height } = tip.getBoundingClientRect(), gap = 16;
  const x = at.clientX + gap + width > innerWidth ? at.clientX - gap - width : at.clientX + gap;
  tip.style.left = `${Math.max(4, x)}px`;
  tip.style.top = `${Math.max(4, Math.min(at.clientY + gap, innerHeight - height - 8))}px`;
}

function hideTip() {
  tip.hidden = true;
}

const gallery = {
  most: 0,
  like: null,                 // the sample whose like are shown
  which: document.getElementById("which"),
  element: document.getElementById("gallery"),
  order: document.getElementById("order"),
  more: document.getElementById("more"),

  rank() {
    const by = scoreOrder(this.order.value);
    if (by) return (s) => s.values[by.score] === null ? 1e9 : by.sign * s.values[by.score];
    return { margin: (s) => s.score_name ? s.margin : 1e9, flip: (s) => -s.flip, sigma: (s) => -s.sigma, yaw: (s) => s.yaw,
      apart: (s) => -s.apart }[this.order.value];
  },

  isShown(sample) {
    const which = this.which.value;
    return which === "any" || (which === "kept" ? sample.kept : !sample.kept && (which === "rejected" || which === `reason ${sample.reason}`));
  },

  sorted() {
    if (this.like) return [this.like, ...this.like.near.map((index) => content.samples[index])];
    const rank = this.rank(), of = (sample) => { const value = rank(sample); return Number.isFinite(value) ? value : 1e9; };
    return content.samples.filter((sample) => sample.picture && this.isShown(sample) && isChosen(sample)).sort((a, b) => of(a) - of(b));
  },

  draw(most) {
    this.most = most;
    const found = this.sorted();
    this.element.replaceChildren(...found.slice(0, most).map((sample) => card(sample, this.order.value)));
    if (!found.length) this.element.append(make("p", { className: "empty" }, "None of the chosen samples has a picture here."));
    this.more.hidden = found.length <= most;
    this.more.textContent = `${number(found.length - most)} more`;
  },
};
