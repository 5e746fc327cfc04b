// The grid: only the cells that can be seen exist, and are used again as it scrolls. A frame writes to the cells that
// come into view alone, and reads no size that such a write could have changed.

const CAPTION = 17;
const TALLEST = 16e6;       // px; browsers clip elements at about twice that, so a longer sheet is scaled
const SETTLED = 90;         // ms without a leap after which pictures of passed rows are asked for

const element = (tag, name) => Object.assign(document.createElement(tag), { className: name });

export class Grid {
  constructor(box, sheet, paint, { onOpen, onSeen }) {
    Object.assign(this, { box, sheet, paint, onOpen, onSeen });
    this.view = new Int32Array(0);
    this.width = 168;
    this.here = 0;
    this.picked = new Set();     // numbers of samples
    this.cells = new Map();      // place in the view → cell
    this.free = [];
    this.lastTop = 0;
    this.turn = 0;               // counts the renderings
    this.wide = false;           // two pictures in a cell, side by side
    this.onMove = () => {};
    box.addEventListener("scroll", () => this.#soon(), { passive: true });
    sheet.addEventListener("click", (event) => this.#click(event));
    new ResizeObserver(() => this.layout()).observe(box);
  }

  get number() { return this.view[this.here]; }

  show(view) {
    const number = this.number;
    this.view = view;
    const stays = new Set(view);  // a list may arrive after somebody has begun to select
    this.picked = new Set([...this.picked].filter((picked) => stays.has(picked)));
    const found = number === undefined ? -1 : view.indexOf(number);
    this.here = Math.max(found, 0);
    for (const cell of this.cells.values()) cell.painted = false;   // each stays at its place: nothing jumps under a click
    this.layout();
    if (found > 0) this.reveal(); else this.box.scrollTop = 0;
    this.lastTop = this.#top();   // no leap: a cell must not show the old list for a moment
    this.render();
  }

  setWide(wide) { if (this.wide !== wide) { this.wide = wide; this.layout(); this.reveal(); } }

  setWidth(width) { this.width = width; this.layout(); this.reveal(); this.repaint(); }

  layout() {
    const inner = this.box.clientWidth;
    this.seen = this.box.clientHeight;
    this.columns = Math.max(1, Math.floor(inner / this.width / (this.wide ? 2 : 1)));
    this.cellWidth = Math.floor(inner / this.columns);
    this.cellHeight = Math.round(this.wide ? this.cellWidth / 2 : this.cellWidth) + CAPTION;
    this.rows = Math.ceil(this.view.length / this.columns);
    this.full = this.rows * this.cellHeight;
    this.tall = Math.min(this.full, TALLEST);
    this.sheet.style.height = `${this.tall}px`;
    this.sheet.style.setProperty("--wide", `${this.cellWidth}px`);
    this.sheet.style.setProperty("--high", `${this.cellHeight}px`);
    this.placed = false;         // every cell has to move
    this.render();
  }

  // Where the top of the window is on the whole sheet, of which `tall` may be a scaled picture.
  #top() {
    const room = Math.max(1, this.tall - this.seen);
    return this.tall === this.full ? this.box.scrollTop : (this.box.scrollTop / room) * (this.full - this.seen);
  }

  #soon() {
    if (this.waiting) return;
    this.waiting = requestAnimationFrame(() => { this.waiting = 0; this.render(); });
  }

  render() {
    const { seen } = this;
    const top = this.#top();
    const shift = this.tall === this.full ? 0 : this.box.scrollTop - top;   // where the sheet is scaled, cells go with it
    const leap = Math.abs(top - this.lastTop) > seen;
    this.lastTop = top;
    const turn = ++this.turn;
    this.sheet.classList.toggle("leaping", leap);   // a pattern in place of cells that would be gone before they are filled
    if (leap) {
      setTimeout(() => this.#settle(turn), SETTLED);
      return;
    }
    const first = Math.max(0, Math.floor(top / this.cellHeight) - 1) * this.columns;
    const last = Math.min(this.view.length, (Math.ceil((top + seen) / this.cellHeight) + 1) * this.columns);
    for (const [place, cell] of this.cells) {
      if (place >= first && place < last) continue;
      this.cells.delete(place);
      this.free.push(cell);
    }
    for (let place = first; place < last; place++) {
      const there = this.cells.get(place);
      if (!there || !this.placed || shift) this.#place(there ?? this.#take(place), place, shift);
    }
    this.placed = true;
    for (const cell of this.free) this.#hide(cell);
    this.#paintNew();
  }

  // After two frames more: where the machine draws few of them, the next leap may not have come yet.
  #settle(turn) {
    const still = () => turn === this.turn;
    requestAnimationFrame(() => still() && requestAnimationFrame(() => still() && this.render()));
  }

  #place(cell, place, shift) {
    const x = (place % this.columns) * this.cellWidth;
    const y = Math.floor(place / this.columns) * this.cellHeight + shift;
    cell.style.left = `${x}px`;   // a transform a cell would cost a compositor's node each, in every frame
    cell.style.top = `${Math.round(y)}px`;
    if (cell.width === this.cellWidth && cell.height === this.cellHeight) return;
    Object.assign(cell, { width: this.cellWidth, height: this.cellHeight });
    cell.style.width = `${this.cellWidth}px`;
    cell.style.height = `${this.cellHeight}px`;
  }

  #paintNew() {
    const seen = [];
    for (const [place, cell] of this.cells) {
      if (cell.painted) continue;
      this.#paint(place, cell);
      seen.push(this.view[place]);
    }
    if (seen.length) this.onSeen(seen);
  }

  #paint(place, cell) {
    const number = this.view[place];
    cell.painted = true;
    cell.classList.toggle("here", place === this.here);
    cell.classList.toggle("picked", this.picked.has(number));
    cell.setAttribute("aria-selected", this.picked.has(number));
    cell.setAttribute("aria-setsize", this.view.length);
    cell.setAttribute("aria-posinset", place + 1);
    if (place === this.here) this.box.setAttribute("aria-activedescendant", cell.id);
    this.paint(cell, number, this.wide ? this.cellWidth / 2 : this.cellWidth);
  }

  // What is shown of some samples, or of all, has changed.
  repaint(numbers) {
    for (const [place, cell] of this.cells) {
      if (cell.painted && (!numbers || numbers.has(this.view[place]))) this.#paint(place, cell);
    }
  }

  // Numbers of the samples whose cells exist.
  visible() { return [...this.cells.keys()].sort((a, b) => a - b).map((place) => this.view[place]); }

  #take(place) {
    const cell = this.free.pop() ?? this.#make();
    cell.place = place;
    cell.painted = false;
    if (cell.className !== "cell") cell.className = "cell";
    if (cell.hidden) cell.hidden = false;
    this.#clear(cell);
    this.cells.set(place, cell);
    return cell;
  }

  #hide(cell) {
    if (cell.hidden) return;
    cell.hidden = true;
    this.#clear(cell);
  }

  // Nobody is to see the picture of before in it, and a request that is no longer wanted ends.
  #clear(cell) {
    for (const image of cell.images) if (image.hasAttribute("src")) image.removeAttribute("src");
  }

  #make() {
    const cell = element("div", "cell");
    cell.id = `cell-${this.sheet.children.length}`;
    cell.setAttribute("role", "option");
    const frame = element("div", "frame");
    cell.images = ["photo", "layer", "photo second", "layer second"].map((name) => Object.assign(element("img", name), { alt: "", draggable: false, decoding: "async" }));
    [cell.photo, cell.layer, cell.photo2, cell.layer2] = cell.images;
    cell.tag = element("span", "tag");
    cell.others = element("span", "others");
    cell.left = element("span", "left");
    cell.why = element("span", "why");
    const caption = element("div", "caption");
    caption.append(cell.left, cell.why);
    cell.tags = element("span", "tags");
    frame.append(...cell.images, cell.tag, cell.others, cell.tags);
    cell.append(frame, caption);
    this.sheet.append(cell);
    return cell;
  }

  #click(event) {
    const cell = event.target.closest(".cell");
    if (!cell) return;
    const place = cell.place;
    if (event.shiftKey) this.#pickTo(place);
    else if (event.ctrlKey || event.metaKey) this.pick(place);
    else {
      this.picked.clear();
      const again = place === this.here;
      this.go(place);
      if (again) this.onOpen();
      return;
    }
    this.go(place);
  }

  #pickTo(place) {
    const [from, to] = [Math.min(place, this.here), Math.max(place, this.here)];
    for (let i = from; i <= to; i++) this.picked.add(this.view[i]);
  }

  pick(place = this.here) {
    const number = this.view[place];
    if (!this.picked.delete(number)) this.picked.add(number);
  }

  pickAll() { this.picked = this.picked.size === this.view.length ? new Set() : new Set(this.view); }

  // Numbers a key acts on: what is picked, or the sample under the cursor.
  targets() {
    if (this.picked.size) return [...this.picked];
    return this.view.length ? [this.number] : [];
  }

  go(place, extend = false) {
    if (!this.view.length) return;
    const to = Math.max(0, Math.min(place, this.view.length - 1));
    if (extend) this.#pickTo(to);
    this.here = to;
    this.reveal();
    this.render();
    this.repaint();
    this.onMove();
  }

  reveal() {
    if (!this.view.length) return;
    const top = this.#top();
    const y = Math.floor(this.here / this.columns) * this.cellHeight;
    let wanted = top;
    if (y < top) wanted = y;
    else if (y + this.cellHeight > top + this.box.clientHeight) wanted = y + this.cellHeight - this.box.clientHeight;
    else return;
    const room = Math.max(1, this.full - this.box.clientHeight);
    this.box.scrollTop = this.tall === this.full ? wanted : (wanted / room) * (this.tall - this.box.clientHeight);
  }
}
