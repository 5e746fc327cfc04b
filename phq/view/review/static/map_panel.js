// The panel with the map: what the points are coloured by, and the picture of the one under the mouse.

import * as api from "./api.js";
import { naming } from "./filters.js";
import { SampleMap } from "./map.js";

const short = (value) => String(Number(value.toPrecision(3)));

export class MapPanel {
  constructor(root, about, { keyOf, onLasso, onGo, onColour }) {
    Object.assign(this, { root, about, keyOf });
    this.part = (id) => root.querySelector(`#${id}`);
    this.map = new SampleMap(this.part("map"), { onLasso, onGo, onHover: (number, event) => this.#hover(number, event) });
    const names = Object.entries(about.histograms).filter(([, { least, most }]) => least < most).map(([name]) => name);
    this.part("colour").append(...names.map((value) => Object.assign(document.createElement("option"), { value, textContent: naming(value) })));
    this.part("colour").onchange = () => onColour(this.part("colour").value);
  }

  // What the filters say of the map, and what the grid shows.
  async show({ map, space, colour, lasso }, view, number) {
    this.root.hidden = !map;
    if (!map) return;
    await this.#load(space ?? this.about.spaces[0], colour in this.about.histograms ? colour : "camera_yaw_deg");
    this.map.setLasso(lasso ?? []);
    this.map.setView(view, number);
  }

  async #load(space, colour) {
    const wanted = `${space} ${colour}`;
    if (this.drawn === wanted) return;
    this.part("scale").textContent = "…";
    const [places, values] = await Promise.all([api.places(space), api.values(colour)]);
    const { low, high } = this.about.histograms[colour];
    if (this.space !== space) this.map.setPlaces(places);
    this.map.setColours(values, low, high, this.about.angles.includes(colour) && !colour.includes("pitch"));
    this.part("scale").textContent = `${short(low)} to ${short(high)}`;
    this.part("colour").value = colour;
    [this.drawn, this.space] = [wanted, space];
  }

  #hover(number, event) {
    const image = this.part("hover");
    image.hidden = number < 0;
    if (number < 0) return;
    const box = this.root.getBoundingClientRect();
    image.src = `/picture/${this.keyOf(number)}?size=128`;
    const [x, y] = [Math.min(event.clientX - box.left + 14, box.width - 134), Math.max(0, event.clientY - box.top - 140)];
    image.style.transform = `translate(${x}px, ${y}px)`;
  }
}
