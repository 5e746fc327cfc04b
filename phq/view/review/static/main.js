// The review page: keys, and what holds the parts together. Names and paths go into the page as text, never as HTML.

import * as api from "./api.js";
import { Detail } from "./detail.js";
import { Filters } from "./filters.js";
import { Grid } from "./grid.js";
import { MapPanel } from "./map_panel.js";
import { Store } from "./store.js";

const part = (id) => document.getElementById(id);
const remembered = (name, otherwise) => localStorage.getItem(`phq-review-${name}`) ?? otherwise;
const remember = (name, value) => localStorage.setItem(`phq-review-${name}`, value);

const about = await api.about();
const keyOf = await api.keys();
const reasonText = Object.fromEntries([...about.reasons, about.flipped].map((reason) => [reason.name, reason.short]));
const MOST_NAMED = 500;         // samples that an address names
const waiting = new Set();      // keys of samples whose mark is on its way
let reviewer = "";
let bodyOn = remembered("body", "0") === "1";

const store = new Store(api, keyOf, (keys, news) => {
  if (news) {
    counts();
    filters.setTags(store.tags);
  }
  const changed = new Set(keys);
  grid.repaint(new Set(grid.visible().filter((number) => changed.has(keyOf(number)))));
  if (changed.has(detail.shown)) detail.said();
});
store.seq = about.seq;
store.counts = about.counts;
store.tags = about.tags;
const grid = new Grid(part("grid"), part("sheet"), paint, { onOpen: () => open(), onSeen: (numbers) => store.want(numbers) });
const detail = new Detail(part("detail"), about, (key) => store.marksOf(key));
const filters = new Filters(part("filters"), about, choose);
const panel = new MapPanel(part("map-panel"), about, {
  keyOf,
  onLasso: (lasso) => filters.put({ lasso }),
  onColour: (colour) => filters.put({ colour }),
  onGo: (number) => grid.go(Math.max(0, grid.view.indexOf(number))),
});
grid.onMove = () => {
  if (grid.view.length) detail.show(keyOf(grid.number), filters.choice.compare);
  panel.map.go(grid.number);
  selected();
};

const degrees = (angle) => (angle == null || Number.isNaN(angle) ? "?" : `${String(Math.round(angle) + 0).replace("-", "−")}°`);

// The picture and its body, and where two revisions are compared the same beside it.
function pictures(cell, key, width) {
  const size = width * devicePixelRatio > 190 ? 256 : 128;
  const { compare } = filters.choice;
  const set = (image, address) => { if (image.getAttribute("src") !== address) image.src = address; };
  [cell.photo, cell.photo2].slice(0, compare ? 2 : 1).forEach((image) => set(image, `/picture/${key}?size=${size}`));
  const layers = compare ?? (bodyOn ? [""] : []);
  layers.forEach((revision, i) => {
    const of = revision && `&revision=${encodeURIComponent(revision)}`;
    set([cell.layer, cell.layer2][i], `/layer/${key}?size=${size}&v=${about.state}${of}`);
  });
}

function paint(cell, number, width) {
  const key = keyOf(number);
  pictures(cell, key, width);
  cell.dataset.key = key;
  const record = store.records.get(number);
  cell.left.textContent = compared ? compared.map((yaws) => degrees(yaws[number])).join(" → ") : record ? degrees(record.camera_yaw_deg) : "";
  cell.why.textContent = record?.rejected ? record.reason : "";
  const verdict = store.opinion(key, reviewer) ?? (document.body.classList.contains("alone") ? undefined : store.verdict(key));
  for (const mark of ["keep", "reject", "flip"]) {
    cell.classList.toggle(`is-${mark}`, verdict?.mark === mark);
    cell.tag.classList.toggle(mark, verdict?.mark === mark);
  }
  cell.classList.toggle("waiting", waiting.has(key));
  const word = verdict && (reasonText[verdict.reason] ?? verdict.mark);
  cell.tag.textContent = verdict ? word : "";
  const tags = store.tagsOf(key);
  cell.tags.textContent = tags.join(", ");
  cell.setAttribute("aria-label", [`yaw ${cell.left.textContent}`, record?.rejected && `rejected: ${record.reason}`,
    verdict && `marked ${word}`, tags.length && `tags ${tags.join(", ")}`].filter(Boolean).join("; "));
  const others = store.marksOf(key).filter((mark) => mark.reviewer !== reviewer);
  if (others.length || cell.others.firstChild) cell.others.replaceChildren(...others.map((mark) => Object.assign(
    document.createElement("span"),
    { className: mark.mark, textContent: [...mark.reviewer].slice(0, 2).join(""), title: `${mark.reviewer}: ${reasonText[mark.reason] ?? mark.mark}` },
  )));
}

let request;
let compared = null;            // yaws of the two revisions that are compared
async function choose() {
  request?.abort();
  request = new AbortController();
  try {
    await compare(filters.choice.compare);
    const view = await api.choose({ ...filters.query, reviewer }, request.signal);
    grid.setWide(!!compared);
    grid.show(view);  // where the cursor is by now, not where it was when this was asked for
    part("shown").textContent = `${view.length.toLocaleString("en")} of ${about.samples.toLocaleString("en")}`;
    part("empty").hidden = view.length > 0;
    grid.onMove();
    part("show-map").setAttribute("aria-pressed", !!filters.choice.map);
    await panel.show(filters.choice, grid.view, grid.number);
  } catch (error) {
    if (error.name !== "AbortError") tell(error.message);
  }
}

async function compare(revisions) {
  compared = revisions ? await Promise.all(revisions.map((revision) => api.values("camera_yaw_deg", revision))) : null;
  document.body.classList.toggle("comparing", !!revisions);
}

async function mark(kind, reason = "", tag = "") {
  const numbers = grid.targets();
  const keys = numbers.map(keyOf).filter((key) => !waiting.has(key));
  if (!keys.length) return;
  const at = grid.here;
  const many = grid.picked.size > 0;
  const step = !many && !tag;
  keys.forEach((key) => waiting.add(key));
  if (!tag) grid.picked.clear();
  grid.repaint(new Set(numbers));
  if (step) grid.go(at + 1);
  try {
    store.take(await api.mark(reviewer, kind, reason, keys, tag));
    if (tag) tell(`${keys.length.toLocaleString("en")} ${kind === "tag" ? "have" : "are without"} the tag ${tag}.`, true);
  } catch (error) {
    tell(`Not marked: ${error.message}`);
    if (step) grid.go(at);
  } finally {
    keys.forEach((key) => waiting.delete(key));
    grid.repaint(new Set(numbers));
    selected();
  }
}

async function again(act, nothing) {
  try {
    const news = await act(reviewer);
    const keys = Object.keys(news.changes);
    store.take(news);
    if (!keys.length) { tell(nothing, true); return; }
    const place = grid.view.findIndex((number) => keyOf(number) === keys[0]);
    if (place >= 0) grid.go(place);
  } catch (error) {
    tell(`Not done: ${error.message}`);
  }
}

const undo = () => again(api.undo, "Nothing of yours is left to undo.");
const redo = () => again(api.redo, "Nothing of yours is left to do again.");

function askTag() {
  if (!grid.view.length) return;
  part("tag-title").textContent = `Tag ${grid.targets().length.toLocaleString("en")}`;
  part("tag-names").replaceChildren(...Object.keys(store.tags).map((value) => Object.assign(document.createElement("option"), { value })));
  part("tag-field").value = "";
  part("ask-tag").showModal();
}

function tagged(kind) {
  const tag = part("tag-field").value.trim();
  if (!tag) return;
  part("ask-tag").close();
  part("grid").focus({ preventScroll: true });
  mark(kind, "", tag);
}

// The selection as an address can name it; null where it is too large, or none.
function named() {
  const keys = grid.targets().map(keyOf);
  if (keys.length <= MOST_NAMED) return keys.join(".");
  tell(`An address names at most ${MOST_NAMED} samples: tag them, and filter by the tag.`);
  return null;
}

function similar() {
  const like = named();
  if (like) filters.put({ like, order: "similar", descending: null });
}

function showOnly() {
  const only = filters.choice.only && !grid.picked.size ? null : named();
  if (only !== null || filters.choice.only) filters.put({ only });
}

async function copy() {
  const only = grid.picked.size ? named() : filters.choice.only;
  if (only === null) return;
  const address = new URL(filters.address({ only, at: grid.view.length ? keyOf(grid.number) : null }), location.href).href;
  try {
    await navigator.clipboard.writeText(address);
    tell(grid.picked.size ? `A link to ${grid.picked.size} selected samples is copied.` : "A link to what is shown is copied.", true);
  } catch {
    prompt("Copy this link", address);
  }
}

const toggleMap = () => filters.put({ map: !filters.choice.map });

function pickAll() {
  grid.pickAll();
  grid.repaint();
  selected();
}

function open() {
  if (!grid.view.length) return;
  detail.toggle(keyOf(grid.number), filters.choice.compare);
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
  k: () => mark("keep"), " ": () => mark("keep"), f: () => mark("flip"), u: () => undo(), y: () => redo(), o: () => showBody(!bodyOn),
  Enter: () => open(), x: () => { grid.pick(); grid.repaint(); selected(); }, h: () => alone(), "?": () => part("help").showModal(),
  Escape: () => { if (grid.picked.size) { grid.picked.clear(); grid.repaint(); selected(); } else if (detail.open) open(); },
  r: () => mark("reject", "review_other"),
  a: () => pickAll(), t: () => askTag(), s: () => similar(), e: () => showOnly(), c: () => copy(), m: () => toggleMap(),
  "/": () => part("filter-text").focus(),
};
about.reasons.forEach((reason, i) => { acts[String(i + 1)] = () => mark("reject", reason.name); });

// What a key means where the focus is: fields and buttons keep theirs.
function isForField(event) {
  const { target, key } = event;
  if (target.matches("input[type=text], #name-field")) return true;
  if (target.matches("select") || (target.matches("button, input") && [" ", "Enter"].includes(key))) return true;
  return target.matches("input[type=range]") && key.startsWith("Arrow");
}

document.addEventListener("keydown", (event) => {
  if (document.querySelector("dialog[open]")) return;
  if (event.key === "Escape" && event.target.matches("input[type=text]")) event.target.blur();
  if (isForField(event)) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (event.ctrlKey || event.metaKey) {
    if (key !== "z" && key !== "y") return;
    if (key === "y" || event.shiftKey) redo(); else undo();
    event.preventDefault();
    return;
  }
  if (event.altKey) return;
  const onMap = event.target === part("map");
  if (onMap && panel.map.key(event)) { event.preventDefault(); return; }
  if (key in moves) grid.go(grid.here + moves[key](), event.shiftKey);
  else if (key in acts) { if (!event.repeat) acts[key](); }
  else if (!detail.key(key)) return;
  event.preventDefault();
  if (!onMap && !["/", "?", "t"].includes(key)) part("grid").focus({ preventScroll: true });
});

const HELP = [
  ["k or space", "keep, and on to the next"], ["1 … 9", "reject, with the reason of that number"], ["r", "reject for something else"],
  ["f", "the label is turned round by 180°"], ["u or ctrl-z, y or ctrl-y", "undo your last mark or tag, do it again"], ["n or →, b or ←", "next, back"],
  ["↑ ↓ PageUp PageDown Home End", "move"], ["shift and move or click", "select a range: the next mark is for all of it"],
  ["x or ctrl-click, a", "select or deselect one, all that are shown"], ["t", "tag the selected ones"],
  ["s", "order by likeness to the selected ones"], ["e", "show only the selected ones, or all again"], ["m", "map: all samples as points; drag a lasso"],
  ["c", "copy a link to the selection, or to what is shown"], ["Enter or click", "the model from other sides"], ["p [ ] v", "there: as in the photo, turn by 30°, body on or off"],
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
    button("u", "undo", "", acts.u), button("y", "redo", "", acts.y),
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

function introduced() {
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
for (const [id, act] of [["tag", askTag], ["similar", similar], ["show-map", toggleMap], ["copy", copy]]) part(id).onclick = act;
part("tag-add").onclick = () => tagged("tag");
part("tag-remove").onclick = () => tagged("untag");
part("tag-field").onkeydown = (event) => { if (event.key === "Enter") tagged("tag"); };
part("show-filters").onclick = () => part("show-filters").setAttribute("aria-expanded", document.body.classList.toggle("filters-open"));
part("keys").onclick = () => part("help").showModal();
part("help-done").onclick = () => part("help").close();
part("name-done").onclick = introduced;
part("name-field").onkeydown = (event) => { if (event.key === "Enter") introduced(); };
part("ask-name").oncancel = (event) => { if (!reviewer) event.preventDefault(); };
buttons();
document.body.classList.toggle("body-on", bodyOn);
part("overlay").setAttribute("aria-pressed", bodyOn);
reviewer = remembered("name", "");
part("who").textContent = reviewer;
counts();
await choose();
const linked = [...grid.view].findIndex((number) => keyOf(number) === filters.choice.at);
if (linked > 0) grid.go(linked);
api.listen(() => store.seq, (news) => store.take(news), (on) => {
  part("link").classList.toggle("on", on);
  part("link").title = on ? "connected" : "no connection to the server: marks are not taken";
});
if (!reviewer) askName(); else part("grid").focus();
