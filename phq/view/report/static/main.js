"use strict";
// Fills the page, and answers to its person.

const byId = (id) => document.getElementById(id);
const FEW = 42;

function panel(title, ...children) {
  return make("div", { className: "panel" }, make("h3", {}, title), ...children);
}

function table(rows) {
  return make("table", {}, make("tbody", {}, ...rows.map((cells) => make("tr", {},
    ...cells.map((cell) => typeof cell === "number" ? make("td", { className: "number" }, number(cell)) : make("td", {}, cell))))));
}

function fillHead() {
  const { taken, all } = content.rows;
  byId("title").textContent = content.title || content.dataset;
  const state = content.overlays.length ? `overlays: ${content.overlays.join(", ")}` : "as built";
  const part = taken < all ? ` · ${number(taken)} of ${number(all)} rows can be chosen among` : "";
  byId("subtitle").textContent = `${content.dataset} · ${state}${part}`;
  byId("facts").append(...content.facts.map((fact) => make("div", { className: fact.warn ? "fact warn" : "fact" },
    make("b", {}, fact.value), make("span", {}, fact.label), make("small", {}, fact.hint))));
  for (const name of ["front", "side", "back"]) {
    const share = (100 * content.masses[name]).toFixed(1), label = make("span", { className: name, title: `${name} ${share} %` }, `${name} ${share} %`);
    label.style.flex = content.masses[name];
    byId("masses").append(label);
  }
}

function fillPictures() {
  for (const { name, text, samples } of content.doubts) {
    const found = samples.map((index) => content.samples[index]);
    byId("doubt-strips").append(make("h3", {}, text, make("small", {}, make("code", {}, name))),
      make("div", { className: "strip" }, ...found.map((sample) => card(sample, name))));
  }
  if (!content.doubts.length) byId("doubt-strips").append(make("p", { className: "empty" }, "No score casts doubt on any sample."));
  for (const { middle, tiles } of content.around) {
    byId("ring").append(make("div", { className: "panel" },
      make("h3", {}, degrees(middle), make("small", {}, { "-180": "back", "-90": "their right", 0: "front", 90: "their left" }[middle] || "")),
      ...tiles.map(tile), tiles.length ? null : make("p", { className: "empty" }, "no sample")));
  }
}

function tile({ picture, body, note, sample }) {
  const element = make("div", { className: "tile" }, image(picture), image(body, "drawn"), make("figcaption", {}, `${degrees(sample.yaw)}, head ${degrees(sample.head)}${note && `; ${note}`}`));
  element.addEventListener("mousemove", (event) => showTip(sample, event));
  element.addEventListener("mouseleave", hideTip);
  return element;
}

function reasonRow(name, text, amount, samples, isKept) {
  const share = make("i", {});
  share.style.width = `${100 * amount / Math.max(1, content.rows.all)}%`;
  const words = make("div", {}, make("b", {}, number(amount)), " ", make("code", {}, name), make("div", { className: "share" }, share),
    make("small", {}, `${percent(amount, content.rows.all)}${text ? `: ${text}` : ""}`));
  const found = samples.map((index) => content.samples[index]);
  const examples = found.some((sample) => sample.picture)
    ? make("div", { className: "strip" }, ...found.map((sample) => card(sample, "margin")))
    : make("ul", { className: "names" }, ...found.slice(0, 4).map(named));
  return make("div", { className: isKept ? "panel reason kept" : "panel reason" }, words, examples);
}

// A reject of which no picture is stored.
function named(sample) {
  const element = make("li", {}, make("b", {}, sample.source_path), sample.detail ? `: ${sample.detail}` : "");
  element.addEventListener("mousemove", (event) => showTip(sample, event));
  element.addEventListener("mouseleave", hideTip);
  return element;
}

function fillReasons() {
  const few = content.gallery.filter((_, i) => i % Math.ceil(content.gallery.length / 16 || 1) === 0);
  byId("reason-rows").append(reasonRow("kept", "all scores within their thresholds", content.rows.kept, few, true),
    ...content.reasons.map(({ name, text, count: amount, samples }) => reasonRow(name, text, amount, samples, false)));
  const bare = content.samples.some((sample) => !sample.kept && !sample.picture);
  if (bare) byId("reason-rows").append(make("p", { className: "dim" }, "A name in place of a picture: the dataset stores no picture of that reject; phq build --keep-rejects keeps them."));
}

function meter(name, seconds, most) {
  const bar = make("span", { className: "meter" });
  bar.style.width = `${100 * seconds / most}%`;
  return make("tr", {}, make("td", {}, name), make("td", { width: "55%" }, bar), make("td", { className: "number" }, `${seconds.toFixed(1)} s`));
}

function fillTables() {
  for (const [name, counts] of Object.entries(content.sources)) {
    byId("source-tables").append(panel(`${name}s`, table(counts.map(([value, amount]) => [value || "not stated", amount]))));
  }
  byId("models").append(make("thead", {}, make("tr", {}, ...["model", "purpose", "licence", "source"].map((name) => make("th", {}, name)))),
    make("tbody", {}, ...content.models.map((model) => make("tr", {}, ...["name", "purpose", "licence", "source"].map((name) => make("td", {}, model[name]))))));
  const { settings, wall, rates, stages } = content.build;
  const rate = Object.entries(rates).map(([name, value]) => [`${name} a second`, String(value)]);
  byId("build-panels").append(panel("Settings", table(Object.entries(settings))),
    panel("Throughput", wall ? table([["seconds in all", wall.toFixed(1)], ...rate]) : make("p", { className: "empty" }, "No times are recorded.")),
    ...(stages.length ? [panel("Seconds by stage, over all processes", make("table", {}, make("tbody", {}, ...stages.map(([name, value]) => meter(name, value, stages[0][1])))))] : []));
  const same = scores.filter((score) => score.same).map((score) => score.name);
  if (same.length) byId("constant").textContent = `The same for all samples: ${same.join(", ")}.`;
}

// What the gallery can show, and by what it can be put in order.
function fillOrders() {
  const option = (value, text) => make("option", { value }, text);
  byId("which").append(option("kept", "kept"), option("rejected", "rejected"), option("any", "kept and rejected"),
    ...content.reasons.map(({ name }) => option(`reason ${name}`, name)));
  const rejects = new Set(content.samples.filter((sample) => sample.picture && !sample.kept).map((sample) => sample.reason));
  for (const each of byId("which").options) each.disabled = each.value === "rejected" ? !rejects.size : each.value.startsWith("reason ") && !rejects.has(each.value.slice(7));
  for (const way of ["low", "high"]) byId("order").append(make("optgroup", { label: `${way} scores first` },
    ...content.scores.map((score, n) => option(`${way} ${n}`, `${score.name}, ${way}`))));
}

// The command that opens the dataset for review; it is in the folder of this page unless the page was moved.
function fillCommand() {
  const inside = location.protocol === "file:" && decodeURIComponent(location.pathname).match(/^(.*)\/report\.html$/);
  const command = `phq review '${(inside ? inside[1] : content.dataset).replaceAll("'", "'\\''")}'`;
  const button = byId("copy");
  const offer = () => Object.assign(button, { textContent: "copy: phq review …", title: `Map, tags, marks, comparison: copy  ${command}` });
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(command);
    button.textContent = "copied";
    setTimeout(offer, 2000);
  });
  offer();
}

function sayChoice() {
  const chosen = chosenRows(), isChoice = Object.values(boxes).some(Boolean);
  let kept = 0, all = 0;
  for (let i = 0; i < count; i++) if (!reasonOf[i]) { all++; kept += chosen[i]; }
  const range = (pair) => `${degrees(pair[0])} to ${degrees(pair[1])}`;
  const said = Object.entries(boxes).filter(([, box]) => box).map(([plot, box]) => AXES[plot].map((name, i) => `${name} ${range(i ? box.y : box.x)}`).join(", "));
  const like = gallery.like && `most like ${gallery.like.source_path.split("/").pop()}, by colours and directions`;
  byId("chosen").textContent = like || (isChoice ? `${number(kept)} of ${number(all)} samples (${percent(kept, all)}): ${said.join("; ")}` : `${number(all)} samples`);
  byId("clear").hidden = !isChoice && !like;
}

let waiting = null;

// Sets the box of a plot and redraws what depends on it, at most once a frame.
function choose(plot, box) {
  boxes[plot] = box;
  gallery.like = null;
  if (waiting === null) waiting = requestAnimationFrame(() => {
    waiting = null;
    sayChoice();
    (plot === "density" ? head : density).update();
    histograms.update();
    gallery.draw(FEW);
  });
}

function showLike(sample) {
  gallery.like = sample;
  hideTip();
  sayChoice();
  gallery.draw(FEW);
  byId("gallery-panel").scrollIntoView({ block: "nearest" });
}

function clearChoice() {
  boxes.density = boxes.head = gallery.like = null;
  for (const plot of [density, head]) plot.clear();
  for (const plot of [density, head, histograms]) plot.update();
  sayChoice();
  gallery.draw(FEW);
}

function setTheme(name) {
  document.documentElement.dataset.theme = name;
  boxes.density = boxes.head = null;
  for (const plot of [density, head, histograms]) plot.draw();
  sayChoice();
  gallery.draw(FEW);
}

fillHead();
fillPictures();
fillReasons();
fillTables();
fillOrders();
fillCommand();
const prefersDark = matchMedia("(prefers-color-scheme: dark)");
setTheme(prefersDark.matches ? "dark" : "light");
prefersDark.addEventListener("change", (event) => setTheme(event.matches ? "dark" : "light"));
byId("theme").addEventListener("click", () => setTheme(isDark() ? "light" : "dark"));
byId("clear").addEventListener("click", clearChoice);
for (const name of ["order", "which"]) byId(name).addEventListener("change", () => {
  gallery.like = null;
  sayChoice();
  gallery.draw(FEW);
});
byId("more").addEventListener("click", () => gallery.draw(gallery.most + 4 * FEW));
byId("body").addEventListener("change", (event) => document.body.classList.toggle("with-body", event.target.checked));
document.addEventListener("keydown", (event) => { if (event.key === "Escape") clearChoice(); });
document.body.classList.add("with-body");
document.body.dataset.ready = "yes";
