// Requests to the server. A mark counts when its answer has come: then it is on the disk.

async function answer(response) {
  if (response.ok) return response;
  const text = await response.text();
  let said = text;
  try { said = JSON.parse(text).error ?? text; } catch { /* plain text */ }
  throw new Error(response.status === 403 ? "this link is no longer valid: open the one that phq review printed" : said);
}

const get = async (path) => answer(await fetch(path));
const post = async (path, body) => (await answer(await fetch(path, {
  method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
}))).json();

export const about = async () => (await get("/api/about")).json();
export const sample = async (key, revision = "") => (await get(`/api/sample/${key}?revision=${encodeURIComponent(revision)}`)).json();
export const rows = async (numbers) => (await get(`/api/rows?n=${numbers.join(",")}`)).json();
export const places = async (space) => new Int16Array(await bytes(`/api/map?space=${encodeURIComponent(space)}`));
export const values = async (name, revision = "") => new Float32Array(
  await bytes(`/api/values?name=${encodeURIComponent(name)}&revision=${encodeURIComponent(revision)}`));
export const bytes = async (path) => (await get(path)).arrayBuffer();

// One after the other, so that marks are taken in the order of the keys, and undo takes back the last of them.
let last = Promise.resolve();
const inTurn = (work) => {
  const turn = last.then(work);
  last = turn.catch(() => {});
  return turn;
};
export const mark = (reviewer, mark, reason, keys, tag = "") => inTurn(() => post("/api/marks", { reviewer, mark, reason, keys, tag }));
export const undo = (reviewer) => inTurn(() => post("/api/undo", { reviewer }));
export const redo = (reviewer) => inTurn(() => post("/api/redo", { reviewer }));
export const saveOverlay = () => post("/api/overlay", {});

export async function choose(choice, signal) {
  const response = await fetch(`/api/choose?q=${encodeURIComponent(JSON.stringify(choice))}`, { signal });
  return new Int32Array(await (await answer(response)).arrayBuffer());
}

export async function keys() {
  const raw = new Uint8Array(await bytes("/api/keys"));
  const hex = Array.from({ length: 256 }, (_, n) => n.toString(16).padStart(2, "0"));
  return (number) => {
    let key = "";
    for (let i = 8 * number; i < 8 * number + 8; i++) key += hex[raw[i]];
    return key;
  };
}

// Keeps listening, whatever happens to the server; on coming back it is told what it missed.
export function listen(known, onNews, onLink) {
  let source;
  let again;
  const open = () => {
    source = new EventSource(`/api/events?since=${known()}`);
    source.onopen = () => onLink(true);
    source.onmessage = (event) => onNews(JSON.parse(event.data));
    source.onerror = () => {
      onLink(false);
      source.close();
      clearTimeout(again);
      again = setTimeout(open, 1000);
    };
  };
  open();
  addEventListener("pagehide", () => { clearTimeout(again); source.close(); });
  addEventListener("pageshow", (event) => { if (event.persisted) open(); });
}
