// What ipyleaflet leaves open, drawn on an ipyleaflet map: thousands of points and outlines from typed arrays on one
// canvas, pictures from bytes, land, graticule, the legend that switches layers, coordinates under the cursor, selection.
// It stands behind mapping.js in one module; Leaflet is the one that ipyleaflet has loaded.

const LAND_UP_TO_ZOOM = 8; // closer up, a coast line of 1:110 million would mislead

function element(tag, text, attributes) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  return Object.assign(made, attributes);
}

function numbers(view, Kind) { // bytes of a trait need not be aligned
  return new Kind(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
}

// The view of the ipyleaflet map that this element stands in; it may not be attached yet.
async function mapViewAround(model, el, gone) {
  const map = await model.widget_manager.get_model(model.get("map_id").replace("IPY_MODEL_", ""));
  while (!gone()) {
    for (const view of await Promise.all(Object.values(map.views)))
      if (view.obj && view.el.contains(el)) return view;
    await new Promise((done) => setTimeout(done, 20));
  }
  return null;
}

// ipyleaflet tells the kernel of every move of the mouse; here nobody listens, and a busy kernel would fall behind.
function keepMouseMovesHere(view) {
  const send = view.send.bind(view);
  view.send = (content, ...rest) => content.type === "mousemove" || send(content, ...rest);
}

class Drawing {
  constructor(model, el, view) {
    Object.assign(this, { model, el, map: view.obj, box: view.obj.getContainer(), L: window.L, shown: new Map(), colours: new Map(), drawing: false });
    for (const [name, z] of [["under", 100], ["pictures", 250], ["features", 390], ["degrees", 395]]) {
      const pane = this.map.getPane("cx-" + name) || this.map.createPane("cx-" + name);
      pane.style.zIndex = z;
    }
    this.map.getPane("cx-degrees").style.pointerEvents = "none";
    this.features = featureCanvas(this.L, { pane: "cx-features", style: (...about) => this.style(...about) }).addTo(this.map);
    this.tip = this.L.tooltip({ direction: "top", offset: [0, -6] });
    this.net = graticule(this.L, this.map, {
      lines: "cx-under", labels: "cx-degrees", side: "left", colour: () => this.colour("grid"),
      clear: () => ({ left: 150, top: 235, right: 330, bottom: 60, base: 4 }), // tools, scale and cursor stand there
    });
    this.drawLand();
    this.makeCursor();
    this.swipe = new Swipe(model, this.map, (key) => this.shown.get(key)?.picture.getPane());
    this.listen();
    this.drawLayers();
    this.fit();
    this.changeZoom();
    this.net.draw();
  }

  // A colour of the theme; asked for per point, so remembered until the theme changes.
  colour(name) {
    if (!this.colours.has(name)) this.colours.set(name, getComputedStyle(this.box).getPropertyValue("--cx-" + name).trim());
    return this.colours.get(name);
  }

  listen() {
    const { model, map } = this;
    this.handlers = [
      ["change:layers", () => this.drawLayers()],
      ["change:hidden change:opacity", () => this.applySwitches()],
      ["change:picked", () => this.applySelection()],
      ["change:base", () => this.drawPanel()],
      ["change:fit", () => this.fit()],
      ["change:swipe", () => this.swipe.draw()],
    ];
    for (const [names, run] of this.handlers) for (const name of names.split(" ")) model.on(name, run);
    map.on("click", (event) => this.click(event));
    map.on("mousemove", (event) => this.hover(event));
    map.on("mouseout movestart", () => this.map.closeTooltip(this.tip));
    map.on("draw:drawstart draw:editstart draw:deletestart", () => this.setDrawing(true));
    map.on("draw:drawstop draw:editstop draw:deletestop", () => this.setDrawing(false));
    map.on("zoomend", () => this.changeZoom());
    map.on("layeradd", ({ layer }) => {
      if (!(layer instanceof this.L.TileLayer)) return;
      const told = (gone) => () => this.box.classList.toggle("cx-no-tiles", gone);
      layer.on({ tileerror: told(true), tileload: told(false), remove: told(false) });
    });
    this.box.addEventListener("keydown", (event) => this.nudge(event));
    this.theme = new MutationObserver(() => this.recolour());
    this.theme.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "data-jp-theme-name"] });
  }

  remove() {
    this.theme.disconnect();
    for (const [names, run] of this.handlers) for (const name of names.split(" ")) this.model.off(name, run);
    for (const { address } of this.shown.values()) if (address) URL.revokeObjectURL(address);
  }

  setDrawing(on) {
    this.drawing = on;
    this.box.classList.toggle("cx-drawing", on);
  }

  changeZoom() {
    this.box.classList.toggle("cx-world", this.map.getZoom() <= LAND_UP_TO_ZOOM);
    if (!this.land) return;
    if (this.map.getZoom() <= LAND_UP_TO_ZOOM) this.land.addTo(this.map);
    else this.land.remove();
  }

  recolour() {
    this.colours.clear();
    this.net.draw();
    this.land.setStyle({ color: this.colour("coast"), fillColor: this.colour("land") });
    this.applySwitches();
  }

  // --- base

  drawLand() {
    const data = this.model.get("land");
    const rings = this.rings(numbers(data.xy, Float32Array), numbers(data.starts, Uint32Array));
    this.land = this.L.polygon(rings.map((ring) => [ring]), {
      pane: "cx-under", renderer: this.L.canvas({ pane: "cx-under" }), interactive: false,
      color: this.colour("coast"), weight: 1, fillColor: this.colour("land"), fillOpacity: 1,
    });
  }

  rings(xy, starts) {
    return Array.from(starts.subarray(0, -1), (start, i) => {
      const ring = [];
      for (let k = start; k < starts[i + 1]; k++) ring.push([xy[2 * k + 1], xy[2 * k]]);
      return ring;
    });
  }

  fit() {
    const { bounds, serial } = this.model.get("fit");
    const fitted = this.model.get("map_id");
    if (!bounds || (Drawing.fitted.get(fitted) || 0) >= serial) return; // a second view follows the first
    const { x, y } = this.map.getSize();
    if (!x || !y) return this.map.once("resize", () => this.fit()); // in a tab that is not open yet
    Drawing.fitted.set(fitted, serial);
    const wide = x > 640; // the legend stands in the way
    this.map.fitBounds(bounds, { paddingTopLeft: [48, 28], paddingBottomRight: [wide ? 230 : 28, 40], maxZoom: 24, animate: false });
  }

  // --- layers

  drawLayers() {
    for (const { picture, address } of this.shown.values()) {
      picture?.remove();
      if (address) URL.revokeObjectURL(address);
    }
    this.shown.clear();
    for (const data of this.model.get("layers")) this.shown.set(data.key, this[data.kind](data));
    this.drawPanel();
    this.applySwitches();
    this.applySelection();
  }

  picture(data) {
    const address = URL.createObjectURL(new Blob([data.image], { type: "image/webp" }));
    const pane = "cx-picture-" + data.key;
    if (!this.map.getPane(pane)) this.map.createPane(pane, this.map.getPane("cx-pictures"));
    return { ...data, address, picture: this.L.imageOverlay(address, data.bounds, { pane, alt: data.name }) };
  }

  points(data) {
    return this.features_of({ ...data, radius: data.xy.byteLength / 16 > 2000 ? 3 : 5 });
  }

  outlines(data) {
    return this.features_of({ ...data, starts: numbers(data.starts, Uint32Array) });
  }

  features_of(data) {
    const layer = { ...data, xy: numbers(data.xy, Float64Array), labels: data.text.split("\n"), picked: new Set() };
    layer.classes = data.classes && numbers(data.classes, Uint8Array);
    layer.count = layer.starts ? layer.starts.length - 1 : layer.xy.length / 2;
    return layer;
  }

  style(layer, row, picked) {
    const fill = picked ? this.colour("picked") : layer.classes ? layer.palette[layer.classes[row]] : layer.colour;
    if (!layer.starts)
      return picked
        ? { fill, line: this.colour("picked-ring"), width: 2, radius: layer.radius + 3 }
        : { fill, line: this.colour("ring"), width: layer.radius > 3 ? 1.5 : 0.5, radius: layer.radius };
    return picked ? { fill, line: this.colour("picked-line"), width: 3, alpha: 0.28 } : { fill, line: fill, width: 1.5, alpha: layer.fill };
  }

  hover({ layerPoint, latlng }) {
    const found = this.drawing || this.map.dragging.moving() ? null : this.features.at(layerPoint);
    this.box.classList.toggle("cx-over", !!found);
    if (!found) return this.map.closeTooltip(this.tip);
    const { layer, row } = found;
    const at = layer.starts ? latlng : this.L.latLng(layer.xy[2 * row + 1], layer.xy[2 * row]);
    this.tip.setContent(element("span", layer.labels[row])).setLatLng(at);
    this.map.openTooltip(this.tip);
  }

  click({ layerPoint, originalEvent: { ctrlKey, shiftKey, metaKey } }) {
    if (this.drawing) return;
    const found = this.features.at(layerPoint), more = ctrlKey || shiftKey || metaKey;
    if (found) this.pick(found.layer.table, this.together(found.layer, found.row), more);
    else if (!more) this.pick("", []);
  }

  // Rows at exactly one place (pointclouds of one building) are picked together.
  together({ xy, starts, count }, row) {
    if (starts) return [row];
    const rows = [];
    for (let i = 0; i < count; i++) if (xy[2 * i] === xy[2 * row] && xy[2 * i + 1] === xy[2 * row + 1]) rows.push(i);
    return rows;
  }

  // The box around some rows, as Leaflet's bounds.
  boundsOf({ xy, starts }, rows) {
    const bounds = this.L.latLngBounds([]);
    for (const row of rows) for (let k = starts ? starts[row] : row; k < (starts ? starts[row + 1] : row + 1); k++) bounds.extend([xy[2 * k + 1], xy[2 * k]]);
    return bounds;
  }

  // --- selection

  pick(table, rows, more = false) {
    const now = this.model.get("picked");
    if (more && now.table === table) {
      const before = new Set(now.rows), all = rows.every((row) => before.has(row));
      for (const row of rows) all ? before.delete(row) : before.add(row);
      rows = [...before].sort((a, b) => a - b);
    }
    if (!rows.length && !now.rows.length) return;
    this.model.set("picked", { table: rows.length ? table : now.table, rows });
    this.model.save_changes();
  }

  applySelection() {
    const { table, rows } = this.model.get("picked");
    for (const layer of this.shown.values()) if (layer.picked) layer.picked = new Set(layer.table === table ? rows : []);
    this.features.draw();
    this.box.dataset.picked = rows.length; // tests wait for this
  }

  // --- legend and switches

  drawPanel() {
    const open = this.el.querySelector("details")?.open ?? this.map.getSize().x > 640;
    const panel = element("details", undefined, { className: "cx-legend", open });
    panel.append(element("summary", "Layers"));
    for (const layer of [...this.shown.values()].reverse()) panel.append(...this.legendOf(layer)); // the topmost first
    panel.append(this.switchOf({ key: "graticule", name: "Graticule", kind: "graticule" }));
    const base = this.model.get("base");
    const select = element("select", undefined, { title: "Map tiles from the internet, over the graticule" });
    for (const [value, text] of base.choices) select.append(element("option", text, { value, selected: value === base.value }));
    select.addEventListener("change", () => {
      this.model.set("base", { ...base, value: select.value });
      this.model.save_changes();
    });
    const label = element("label", undefined, { className: "cx-base" });
    label.append(element("span", "Base map"), select);
    const view = element("button", "Area of interest: this view", { type: "button", className: "cx-area-of-view" });
    view.addEventListener("click", () => {
      const seen = this.map.getBounds();
      this.model.send({ area_of_view: [seen.getWest(), seen.getSouth(), seen.getEast(), seen.getNorth()] });
    });
    panel.append(label, view);
    if ([...this.shown.values()].some((layer) => layer.labels)) panel.append(this.finder());
    this.el.replaceChildren(panel);
  }

  legendOf(layer) {
    const parts = [this.switchOf(layer)];
    for (const { name, colour, count } of layer.legend || []) {
      const row = element("div", undefined, { className: "cx-class" });
      const key = element("span", undefined, { className: "cx-key cx-" + layer.kind });
      key.style.setProperty("--cx-key", colour);
      row.append(key, element("span", name));
      if (count !== undefined) row.append(element("b", count.toLocaleString("en")));
      parts.push(row);
    }
    if (layer.ramp) {
      const bar = element("div", undefined, { className: "cx-ramp" });
      bar.style.background = `linear-gradient(90deg, ${layer.ramp.colours.join(",")})`;
      const ends = element("div", undefined, { className: "cx-ends" });
      ends.append(element("span", layer.ramp.low), element("span", layer.ramp.unit), element("span", layer.ramp.high));
      parts.push(bar, ends);
    }
    return parts;
  }

  switchOf(layer) {
    const label = element("label");
    const box = element("input", undefined, { type: "checkbox", value: layer.key, checked: !this.model.get("hidden").includes(layer.key) });
    box.addEventListener("change", () => {
      const others = this.model.get("hidden").filter((key) => key !== layer.key);
      this.model.set("hidden", box.checked ? others : [...others, layer.key]);
      this.model.save_changes();
    });
    label.append(box);
    if (layer.colour && !layer.palette) {
      const key = element("span", undefined, { className: "cx-key cx-" + layer.kind });
      key.style.setProperty("--cx-key", layer.colour);
      label.append(key);
    }
    label.append(element("span", layer.name));
    if (layer.count > 1) label.append(element("b", layer.count.toLocaleString("en")));
    if (layer.kind !== "picture") return label;
    const slide = element("input", undefined, { type: "range", min: 0, max: 1, step: 0.05, value: this.model.get("opacity")[layer.key] ?? 1, title: "Opacity of " + layer.name });
    slide.addEventListener("input", () => {
      this.model.set("opacity", { ...this.model.get("opacity"), [layer.key]: Number(slide.value) });
      this.model.save_changes();
    });
    const row = element("div", undefined, { className: "cx-switch" });
    row.append(label, slide);
    return row;
  }

  finder() {
    const field = element("input", undefined, { type: "search", placeholder: "Find by name", title: "Enter selects all whose name contains this" });
    field.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key !== "Enter") return;
      const text = field.value.trim().toLowerCase();
      for (const layer of this.shown.values()) {
        const rows = text ? (layer.labels || []).flatMap((label, row) => (label.toLowerCase().includes(text) ? [row] : [])) : [];
        if (!rows.length) continue;
        this.pick(layer.table, rows);
        const seen = this.boundsOf(layer, rows);
        if (!this.map.getBounds().contains(seen)) this.map.fitBounds(seen, { maxZoom: this.map.getZoom(), padding: [60, 60] });
        return;
      }
      field.classList.add("cx-none");
      setTimeout(() => field.classList.remove("cx-none"), 600);
    });
    return field;
  }

  applySwitches() {
    const hidden = new Set(this.model.get("hidden")), opacity = this.model.get("opacity");
    const shown = [...this.shown.values()].filter((layer) => !hidden.has(layer.key));
    this.features.show(shown.filter((layer) => layer.xy));
    for (const layer of this.shown.values()) {
      if (layer.kind !== "picture") continue;
      if (hidden.has(layer.key)) layer.picture.remove();
      else layer.picture.addTo(this.map).setOpacity(opacity[layer.key] ?? 1);
    }
    if (hidden.has("graticule")) this.net.remove();
    else this.net.addTo(this.map);
    this.swipe.draw();
    for (const box of this.el.querySelectorAll("input[type=checkbox]")) box.checked = !hidden.has(box.value);
    this.box.dataset.layers = shown.map((layer) => layer.key).join(" "); // tests wait for this
  }

  // Arrow keys move a control point that has the focus: a pixel, with Shift ten.
  nudge(event) {
    const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!by || !event.target.classList.contains("leaflet-marker-icon")) return;
    this.map.eachLayer((layer) => {
      if (layer.getElement?.() !== event.target || !layer.dragging) return;
      event.preventDefault();
      event.stopPropagation();
      const at = this.map.latLngToContainerPoint(layer.getLatLng()).add(this.L.point(by).multiplyBy(event.shiftKey ? 10 : 1));
      layer.setLatLng(this.map.containerPointToLatLng(at)).fire("dragend"); // as if it had been dragged there
    });
  }

  // --- coordinates under the cursor

  makeCursor() {
    const control = new this.L.Control({ position: "bottomright" });
    const output = element("output", undefined, { className: "cx-cursor", ariaLive: "off" });
    control.onAdd = () => output;
    control.addTo(this.map);
    this.map.on("mousemove", ({ latlng }) => {
      if (this.map.dragging.moving()) return; // the place goes along with the mouse
      output.replaceChildren(...placeLines(latlng, this.model.get("plane")).map((line) => element("span", line)));
    });
    this.map.on("mouseout", () => output.replaceChildren());
  }
}
Drawing.fitted = new Map();

export default {
  render({ model, el }) {
    let gone = false, drawing = null;
    el.classList.add("cx-companion");
    mapViewAround(model, el, () => gone).then((view) => {
      if (!view) return;
      keepMouseMovesHere(view);
      drawing = new Drawing(model, el, view);
    });
    return () => {
      gone = true;
      drawing?.remove();
    };
  },
};
