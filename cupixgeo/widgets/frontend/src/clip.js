/* The clipping box: two sliders for each axis, in the units of the CRS. */

import { h } from "./panel.js";

const STEPS = 1000;

export class ClipPanel {
  constructor(store) {
    this.store = store;
    this.open = false;
    this.rows = [];
    this.element = h("div", { class: "cx-scene-clipping", role: "group", "aria-label": "Clipping box", hidden: true });
    this.build();
  }

  build() {
    const { labels } = this.store.model.get("frame");
    this.built = JSON.stringify(labels);
    this.rows = labels.map((label, axis) => {
      const ends = ["from", "to"].map((word, end) => {
        const slider = h("input", { type: "range", min: 0, max: STEPS, step: 1, "aria-label": `${label} ${word}`, class: `cx-scene-${"xyz"[axis]}-${word}`, oninput: () => this.slide(axis, end) });
        return { slider, value: h("output", {}) };
      });
      return { label, ends };
    });
    const rows = this.rows.map(({ label, ends: [a, b] }) =>
      h("div", { class: "cx-scene-axis" }, h("b", {}, label), a.slider, a.value, b.slider, b.value));
    const clear = h("button", { type: "button", class: "cx-scene-unclip", onclick: () => this.store.set({ clip: [] }) }, "Show all");
    this.element.replaceChildren(...rows, clear);
  }

  toggle() {
    this.open = !this.open;
    this.element.hidden = !this.open;
    this.update();
  }

  get limits() {
    const { low, size } = this.store.box();
    return [low, low.map((l, i) => l + size[i])];
  }

  slide(axis, end) {
    const [low, high] = this.limits;
    const now = this.store.clip.length ? [...this.store.clip] : [...low, ...high];
    const at = Number(this.rows[axis].ends[end].slider.value);
    // the sliders' ends leave nothing out, whatever was rounded on the way
    let value = low[axis] + ((high[axis] - low[axis]) * at) / STEPS;
    if (at === 0) value = low[axis];
    if (at === STEPS) value = high[axis];
    now[axis + 3 * end] = value;
    const other = axis + 3 * (1 - end);
    if (end === 0 ? now[other] < value : now[other] > value) now[other] = value;
    this.store.set({ clip: now });
  }

  update() {
    if (!this.open) return;
    if (this.built !== JSON.stringify(this.store.model.get("frame").labels)) this.build();
    const [low, high] = this.limits;
    const { origin, metres, places } = this.store.model.get("frame");
    const clip = this.store.clip.length ? this.store.clip : [...low, ...high];
    this.rows.forEach(({ ends }, axis) => ends.forEach(({ slider, value }, end) => {
      const at = clip[axis + 3 * end];
      slider.value = Math.round(((at - low[axis]) / Math.max(high[axis] - low[axis], 1e-12)) * STEPS);
      const text = (at / metres[axis] + origin[axis]).toLocaleString("en", { minimumFractionDigits: places, maximumFractionDigits: places });
      value.textContent = text;
      slider.setAttribute("aria-valuetext", text);
    }));
  }
}
