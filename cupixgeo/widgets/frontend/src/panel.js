/* What stands around the canvas: the tools, the legend, the clipping box, and what was picked.
 * Everything is a labelled element of the page, so that keys and screen readers reach it. */

import { ClipPanel } from "./clip.js";

let number = 0;

/* An element: tag, attributes (on… are listeners), children. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value !== undefined && value !== false) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((c) => c !== null));
  return element;
}

const count = (n) => n.toLocaleString("en");

export class Panel {
  constructor(store, stage) {
    this.store = store;
    this.stage = stage;
    const model = store.model;
    const id = (name) => `cx-scene-${name}-${(number += 1)}`;
    const set = (name, value) => { store.set({ [name]: value }); };
    const labelled = (text, control) => {
      control.id = id("control");
      return h("span", { class: "cx-scene-tool" }, h("label", { for: control.id }, text), control);
    };
    this.colour = h("select", { class: "cx-scene-colour", onchange: () => set("color", this.colour.value) });
    this.size = h("input", { type: "range", min: 1, max: 10, step: 0.5, class: "cx-scene-size", oninput: () => set("point_size", Number(this.size.value)) });
    this.shading = h("input", { type: "checkbox", class: "cx-scene-shading", onchange: () => set("shading", this.shading.checked) });
    this.cameras = h("input", { type: "checkbox", class: "cx-scene-cameras", onchange: () => set("show_cameras", this.cameras.checked) });
    this.camerasTool = labelled("Cameras", this.cameras);
    this.clipButton = h("button", { type: "button", class: "cx-scene-clip", "aria-expanded": "false", onclick: () => this.toggleClip() }, "Clip");
    this.measure = h("button", { type: "button", class: "cx-scene-measure", "aria-pressed": "false", onclick: () => set("mode", model.get("mode") === "measure" ? "pick" : "measure") }, "Measure");
    this.reset = h("button", { type: "button", class: "cx-scene-reset", onclick: () => store.reset() }, "Reset view");
    this.clouds = h("details", { class: "cx-scene-clouds", onfocusout: (event) => { if (!this.clouds.contains(event.relatedTarget)) this.clouds.open = false; } }, h("summary", {}, "Clouds"), h("div", { class: "cx-scene-list", role: "group", "aria-label": "Clouds shown" }));
    this.tools = h("div", { class: "cx-scene-tools", role: "toolbar", "aria-label": "Tools of the 3-D scene" },
      labelled("Colour by", this.colour), this.clouds, labelled("Point size", this.size), labelled("Shading", this.shading),
      this.camerasTool, this.clipButton, this.measure, this.reset);
    this.state = h("div", { class: "cx-scene-state" });
    this.legend = h("div", { class: "cx-scene-legend", role: "img" });
    this.hinted = h("div", { class: "cx-scene-hint", role: "status" });
    this.clip = new ClipPanel(store);
    this.progress = h("div", { class: "cx-scene-progress", "aria-hidden": "true" });
    stage.append(this.progress, this.state, this.legend, this.hinted, this.clip.element);
    this.readout = h("div", { class: "cx-scene-readout", role: "status", "aria-live": "polite" });
    for (const what of ["clouds", "panel", "legend", "mode", "picked"]) this.hear(what);
  }

  hear(what) {
    const model = this.store.model;
    if (what === "clouds") this.listClouds();
    if (["clouds", "panel", "paint"].includes(what)) this.listColours();
    if (["paint", "legend", "clouds"].includes(what)) this.drawLegend();
    if (what === "picked" || what === "measured" || what === "mode") this.read();
    if (what === "clouds" || what === "clip") this.clip.update();
    this.size.value = model.get("point_size");
    this.shading.checked = model.get("shading");
    this.cameras.checked = model.get("show_cameras");
    this.camerasTool.hidden = !model.get("frusta")?.byteLength;
    this.measure.setAttribute("aria-pressed", String(model.get("mode") === "measure"));
    this.stage.classList.toggle("cx-scene-measuring", model.get("mode") === "measure");
    this.sayState();
  }

  listClouds() {
    const model = this.store.model;
    const told = model.get("clouds");
    this.clouds.hidden = told.length < 2;
    const shown = this.store.shown;
    this.clouds.querySelector("div").replaceChildren(...told.map((cloud) => {
      const box = h("input", { type: "checkbox", value: cloud.id });
      box.checked = shown.has(cloud.id);
      box.addEventListener("change", () => {
        const now = new Set(this.store.model.get("shown"));
        if (box.checked) now.add(cloud.id); else now.delete(cloud.id);
        this.store.set({ shown: told.map((c) => c.id).filter((c) => now.has(c)) });
      });
      const swatch = h("i", { class: "cx-scene-swatch", style: `background:${cloud.color}`, "aria-hidden": "true" });
      return h("label", {}, box, swatch, `${cloud.name} `, h("small", {}, count(cloud.total)));
    }));
  }

  listColours() {
    const model = this.store.model;
    const wanted = model.get("colors");
    if (this.listed !== JSON.stringify(wanted)) {
      this.listed = JSON.stringify(wanted);
      this.colour.replaceChildren(...wanted.map(([value, label]) => h("option", { value }, label)));
    }
    this.colour.value = model.get("color");
  }

  drawLegend() {
    const paint = this.store.paint;
    const title = paint.unit ? `${paint.label} [${paint.unit}]` : paint.label;
    if (paint.ramp.length) {
      const stops = paint.ramp.join(",");
      const place = (value) => `${(100 * (value - paint.low)) / (paint.high - paint.low)}%`;
      this.legend.replaceChildren(h("b", {}, title), h("div", { class: "cx-scene-bar" },
        h("div", { class: "cx-scene-ramp", style: `background:linear-gradient(to top,${stops})` }),
        ...paint.ticks.map(([value, text]) => h("span", { style: `bottom:${place(value)}` }, text))));
      this.legend.setAttribute("aria-label", `Colours from ${paint.low} to ${paint.high} ${paint.unit}: ${paint.label}`);
    } else {
      const shown = this.store.shown;
      const clouds = this.store.model.get("clouds");
      const here = (line) => (paint.kind === "cloud" ? shown.has(clouds[line.index]?.id) : this.store.seen.has(line.index));
      const lines = paint.classes.filter(here);
      if (paint.kind === "classes" && this.store.seen.has(255)) lines.push({ label: "other", color: "#8a8f98" });
      this.legend.replaceChildren(h("b", {}, title), ...lines.map((line) =>
        h("div", { class: "cx-scene-class" }, h("i", { class: "cx-scene-swatch", style: `background:${line.color}` }), line.label)));
      this.legend.setAttribute("aria-label", `Colours of ${paint.label}: ${lines.map((l) => l.label).join(", ")}`);
    }
    this.legend.hidden = paint.kind === "rgb" || !this.store.clouds.size;
  }

  read() {
    const model = this.store.model;
    const lines = model.get("measured")?.lines ?? model.get("picked")?.lines ?? [];
    const told = lines.length ? lines : [model.get("mode") === "measure" ? ["", "Pick the two ends of a distance."] : ["", "Pick a point to read its coordinates."]];
    this.readout.replaceChildren(...told.map(([name, text]) => h("span", {}, name ? h("b", {}, name) : "", text)));
    this.readout.classList.toggle("cx-scene-faint", !lines.length);
  }

  toggleClip() {
    this.clip.toggle();
    this.clipButton.setAttribute("aria-expanded", String(this.clip.open));
  }

  drawn(points, whole) {
    this.points = points;
    this.whole = whole;
    this.sayState();
  }

  sayState() {
    const store = this.store;
    const told = store.model.get("status");
    const total = [...store.clouds.values()].filter((c) => store.shown.has(c.id)).reduce((sum, c) => sum + c.total, 0);
    let text = `${count(this.points ?? 0)} of ${count(total)} points`;
    if (this.points === total) text = total === 1 ? "1 point" : `${count(total)} points`;
    if (told) text = told;
    else if (store.clouds.size && store.model.get("color") !== store.paint.name) text = "Reading what to colour by …";
    else if (store.gone) text += ". The kernel is gone: run the cell again";
    else if (store.late) text += ": waiting for the kernel, which is busy";
    if (!store.clouds.size && !told) text = "";
    if (this.state.textContent !== text) this.state.textContent = text;
    const wanted = store.selected.reduce((sum, node) => sum + node.count, 0);
    const share = this.whole === false && wanted ? Math.min(1, (this.points ?? 0) / wanted) : 0;
    this.progress.style.width = `${Math.round(100 * share)}%`;
  }

  hint(text) {
    this.hinted.textContent = text;
    this.hinted.classList.add("cx-scene-visible");
    clearTimeout(this.hintTimer);
    this.hintTimer = setTimeout(() => this.hinted.classList.remove("cx-scene-visible"), 2200);
  }
}
