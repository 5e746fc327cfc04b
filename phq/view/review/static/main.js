// The review page: keys, and what holds the parts together. Names and paths go into the page as text, never as HTML.

import * as api from "./api.js";
import { Detail } from "./detail.js";
import { Filters } from "./filters.js";
import { Grid } from "./grid.js";
import { Store } from "./store.js";

const part = (id) => document.getElementById(id);
const remembered = (name, otherwise) => localStorage.getItem(`phq-review-${name}`) ?? otherwise;
const remember = (name, value) => localStorage.setItem(`phq-review-${name}`, value);

const about = await api.about();
const keyOf = await api.keys();
const reasonText = Object.fromEntries([...about.reasons, about.flipped].map((reason) => [reason.name, reason.short]));
const waiting = new Set();      // keys of samples whose mark is on its way
let reviewer = "";
let bodyOn = remembered("body", "0") === "1";

const store = new Store(api, keyOf, (keys) => {
  counts();
  const changed = new Set(keys);
  grid.repaint(new Set(grid.visible().filter((number) => changed.has(keyOf(number)))));
  if (changed.has(detail.shown)) detail.said();
});
store.seq = about.seq;
store.counts = about.counts;
const grid = new Grid(part("grid"), part("sheet"), paint, { onOpen: () => open(), onSeen: (numbers) => store.want(numbers) });
const detail = new Detail(part("detail"), about, (key) => store.marksOf(key));
const filters = new Filters(part("filters"), about, choose);
grid.onMove = () => {
  if (grid.view.length) detail.show(keyOf(grid.number));
  selected();
};

const degrees = (angle) => (angle == null ? "?" : `${String(Math.round(angle) + 0).replace("-", "−")}°`);

function paint(cell, number, width) {
  const key = keyOf(number);
  const size = width * devicePixelRatio > 190 ? 256 : 128;
  const address = `/picture/${key}?size=${size}`;
  if (cell.photo.getAttribute("src") !== address) cell.photo.src = address;
  const layer = `/layer/${key}?size=${size}&v=${about.state}`;
  if (bodyOn && cell.layer.getAttribute("src") !== layer) cell.layer.src = layer;
  cell.dataset.key = key;
  const record = store.records.get(number);
  cell.left.textContent = record ? degrees(record.camera_yaw_deg) : "";
  cell.why.textContent = record?.rejected ? record.reason : "";
  const verdict = store.opinion(key, reviewer) ?? (document.body.classList.contains("alone") ? undefined : store.verdict(key));
  for (const mark of ["keep", "reject", "flip"]) {
    cell.classList.toggle(`is-${mark}`, verdict?.mark === mark);
    cell.tag.classList.toggle(mark, verdict?.mark === mark);
  }
  cell.classList.toggle("waiting", waiting.has(key));
  const word = verdict && (reasonText[verdict.reason] ?? verdict.mark);
  cell.tag.textContent = verdict ? word : "";
  cell.others.replaceChildren(...store.marksOf(key).filter((mark) => mark.reviewer !== reviewer).map((mark) => Object.assign(
    document.createElement("span"),
    { className: mark.mark, textContent: [...mark.reviewer].slice(0, 2).join(""), title: `${mark.reviewer}: ${reasonText[mark.reason] ?? mark.mark}` },
  )));
}

let request;
async function choose() {
  request?.abort();
  request = new AbortController();
  try {
    const view = await api.choose({ ...filters.choice, reviewer }, request.signal);
    grid.show(view);  // where the cursor is by now, not where it was when this was asked for
    part("shown").textContent = `${view.length.toLocaleString("en")} of ${about.samples.toLocaleString("en")}`;
    part("empty").hidden = view.length > 0;
    grid.onMove();
  } catch (error) {
    if (error.name !== "AbortError") tell(error.message);
  }
}

async function mark(kind, reason = "") {
  const numbers = grid.targets();
  const keys = numbers.map(keyOf).filter((key) => !waiting.has(key));
  if (!keys.length) return;
  const at = grid.here;
  const many = grid.picked.size > 0;
  keys.forEach((key) => waiting.add(key));
  grid.picked.clear();
  grid.repaint(new Set(numbers));
  if (!many) grid.go(at + 1);
  try {
    store.take(await api.mark(reviewer, kind, reason, keys));
  } catch (error) {
    tell(`Not marked: ${error.message}`);
    if (!many) grid.go(at);
  } finally {
    keys.forEach((key) => waiting.delete(key));
    grid.repaint(new Set(numbers));
    selected();
  }
}

async function undo() {
  try {
    const news = await api.undo(reviewer);
    const keys = Object.keys(news.changes);
    store.take(news);
    if (!keys.length) { tell("Nothing of yours is left to undo.", true); return; }
    const place = grid.view.findIndex((number) => keyOf(number) === keys[0]);
    if (place >= 0) grid.go(place);
  } catch (error) {
    tell(`Not undone: ${error.message}`);
  }
}

function open() {
  if (!grid.view.length) return;
  detail.toggle(keyOf(grid.number));
  grid.layout();
  grid.reveal();
}

function showBody(on) {
  bodyOn = on;
  remember("body", on ? "1" : "0");
  document.body.classList.toggle("body-on", on);
  part("overlay").setAttribute("aria-pressed", on);
  grid.repaint();
}

function alone() {
  tell(document.body.classList.toggle("alone") ? "Other people's marks are hidden." : "Other people's marks are shown.", true);
  grid.repaint();
}

function counts() {
  const done = Object.values(store.counts).reduce((sum, count) => sum + count, 0);
  part("counts").textContent = `${done.toLocaleString("en")} marked`;
  part("counts").title = Object.entries(store.counts).map(([name, count]) => `${name} ${count}`).join(", ");
  for (const [name, count] of Object.entries(store.counts)) part(`bar-${name}`).style.width = `${(100 * count) / about.samples}%`;
}

function selected() {
  part("selected").textContent = grid.picked.size ? `${grid.picked.size.toLocaleString("en")} selected` : "";
}

let hiding;
function tell(text, mild = false) {
  part("toast").textContent = text;
  part("toast").classList.toggle("mild", mild);
  part("toast").hidden = false;
  clearTimeout(hiding);
  hiding = setTimeout(() => { part("toast").hidden = true; }, mild ? 2500 : 8000);
}

async function save() {
  try {
    const { name } = await api.saveOverlay();
    tell(name ? `The marks are in the overlay ${name}.` : "All marks are in an overlay already.", true);
  } catch (error) {
    tell(error.message);
  }
}

const moves = {
  ArrowRight: () => 1, ArrowLeft: () => -1, ArrowDown: () => grid.columns, ArrowUp: () => -grid.columns,
  n: () => 1, b: () => -1,
  PageDown: () => page(), PageUp: () => -page(), Home: () => -grid.view.length, End: () => grid.view.length,
};
const page = () => grid.columns * Math.max(1, Math.floor(grid.box.clientHeight / grid.cellHeight));
const acts = {
  k: () => mark("keep"), " ": () => mark("keep"), f: () => mark("flip"), u: () => undo(), o: () => showBody(!bodyOn),
  Enter: () => open(), x: () => { grid.pick(); grid.repaint(); selected(); }, h: () => alone(), "?": () => part("help").showModal(),
  Escape: () => { if (grid.picked.size) { grid.picked.clear(); grid.repaint(); selected(); } else if (detail.open) open(); },
  r: () => mark("reject", "review_other"),
  "/": () => part("filter-text").focus(),
};
about.reasons.forEach((reason, i) => { acts[String(i + 1)] = () => mark("reject", reason.name); });

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.target.matches("input[type=text], #name-field")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (event.target.matches("select") || (event.target.matches("button, input") && [" ", "Enter"].includes(event.key))) return;
  if (event.target.matches("input[type=range]") && event.key.startsWith("Arrow")) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (key in moves) grid.go(grid.here + moves[key](), event.shiftKey);
  else if (key in acts) { if (!event.repeat) acts[key](); }
  else if (!detail.key(key)) return;
  event.preventDefault();
  if (!["/", "?"].includes(key)) part("grid").focus({ preventScroll: true });
});

const HELP = [
  ["k or space", "keep, and on to the next"], ["1 … 9", "reject, with the reason of that number"], ["r", "reject for something else"],
  ["f", "the label is turned round by 180°"], ["u", "undo your last mark"], ["n or →, b or ←", "next, back"],
  ["↑ ↓ PageUp PageDown Home End", "move"], ["shift and move or click", "select a range: the next mark is for all of it"],
  ["x or ctrl-click", "select or deselect one"], ["Enter or click", "the model from other sides"], ["p [ ] v", "there: as in the photo, turn by 30°, body on or off"],
  ["o", "body over the pictures"], ["h", "hide or show other people's marks"], ["/", "find a path or key"], ["Esc", "deselect, close"],
];

function buttons() {
  const button = (key, text, kind, act) => {
    const made = document.createElement("button");
    made.append(Object.assign(document.createElement("kbd"), { textContent: key }));
    if (kind) made.append(Object.assign(document.createElement("span"), { className: `dot ${kind}` }));
    made.append(text);
    made.onclick = () => { act(); part("grid").focus({ preventScroll: true }); };
    return made;
  };
  part("reasons").append(
    button("k", "keep", "keep", acts.k), button("f", "turned round", "flip", acts.f),
    ...about.reasons.map((reason, i) => button(String(i + 1), reason.short, "reject", acts[String(i + 1)])),
    button("u", "undo", "", acts.u),
  );
  part("help-keys").append(...HELP.map(([key, text]) => {
    const row = document.createElement("tr");
    row.append(Object.assign(document.createElement("td"), { textContent: key }), Object.assign(document.createElement("td"), { textContent: text }));
    return row;
  }));
}

function name(value) {
  reviewer = value.trim().slice(0, 64);
  remember("name", reviewer);
  part("who").textContent = reviewer;
  grid.repaint();
}

function askName() {
  part("name-field").value = reviewer || about.reviewer;
  part("ask-name").showModal();
  part("name-field").select();
}

function named() {
  if (!part("name-field").value.trim()) return;
  name(part("name-field").value);
  part("ask-name").close();
  part("grid").focus();
  choose();
}

document.title = `${about.name} · phq review`;
part("name").textContent = about.name;
part("size").value = remembered("size", "168");
grid.width = Number(part("size").value);
part("size").oninput = () => { grid.setWidth(Number(part("size").value)); remember("size", part("size").value); };
part("overlay").onclick = () => showBody(!bodyOn);
part("save").onclick = save;
part("who").onclick = askName;
part("keys").onclick = () => part("help").showModal();
part("help-done").onclick = () => part("help").close();
part("name-done").onclick = named;
part("name-field").onkeydown = (event) => { if (event.key === "Enter") named(); };
part("ask-name").oncancel = (event) => { if (!reviewer) event.preventDefault(); };
buttons();
document.body.classList.toggle("body-on", bodyOn);
part("overlay").setAttribute("aria-pressed", bodyOn);
reviewer = remembered("name", "");
part("who").textContent = reviewer;
counts();
await choose();
api.listen(() => store.seq, (news) => store.take(news), (on) => {
  part("link").classList.toggle("on", on);
  part("link").title = on ? "connected" : "no connection to the server: marks are not taken";
});
if (!reviewer) askName(); else part("grid").focus();
