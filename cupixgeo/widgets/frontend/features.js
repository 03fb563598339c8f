// Points and outlines on a Leaflet map, from typed arrays and on one canvas: 20,000 cameras are some milliseconds.
// Leaflet's own canvas makes an object for each point, and draws an arc for each, which a software renderer takes
// seconds for; here a dot is drawn once and its pixels are copied. Knows nothing of models and messages.

function mercator(xy) { // longitude and latitude [deg] to the unit square of web Mercator
  const out = new Float64Array(xy.length);
  for (let i = 0; i < xy.length; i += 2) {
    const sine = Math.sin((xy[i + 1] * Math.PI) / 180);
    out[i] = xy[i] / 360 + 0.5;
    out[i + 1] = 0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI);
  }
  return out;
}

// Lay a small picture (bytes r, g, b, a; `size` pixels to a side) over a sheet of pixels.
function overlay({ width, height, words, bytes }, pixels, size, left, top) {
  const small = new Uint32Array(pixels.buffer);
  for (let row = Math.max(0, -top); row < Math.min(size, height - top); row++)
    for (let column = Math.max(0, -left); column < Math.min(size, width - left); column++) {
      const from = row * size + column, to = (top + row) * width + left + column, over = pixels[4 * from + 3], under = bytes[4 * to + 3];
      if (!over) continue;
      if (over === 255 || !under) {
        words[to] = small[from];
        continue;
      }
      const rest = (under * (255 - over)) / 255, alpha = over + rest;
      for (let band = 0; band < 3; band++) bytes[4 * to + band] = (pixels[4 * from + band] * over + bytes[4 * to + band] * rest) / alpha;
      bytes[4 * to + 3] = alpha;
    }
}

// `style(layer, row, picked)` answers { fill, line, width, radius, alpha }. A layer has `xy` [deg], for outlines also
// `starts` (first vertex of each ring, and the end), and `picked`, a set of rows.
function featureCanvas(L, { pane, style }) {
  const Renderer = L.Renderer.extend({
    initialize(options) {
      L.Renderer.prototype.initialize.call(this, options);
      this.shown = [];
      this.stamps = new Map();
    },

    _initContainer() {
      this._container = document.createElement("canvas");
      this._container.style.pointerEvents = "none"; // the map asks `at` instead, so that nothing below is blocked
      this.paper = this._container.getContext("2d", { willReadFrequently: true }); // drawn by the processor: see above
    },

    _destroyContainer() {
      this._container.remove();
      delete this._container;
    },

    _update() {
      if (this._map._animatingZoom && this._bounds) return;
      L.Renderer.prototype._update.call(this);
      const size = this._bounds.getSize(), ratio = window.devicePixelRatio || 1;
      L.DomUtil.setPosition(this._container, this._bounds.min);
      Object.assign(this._container, { width: ratio * size.x, height: ratio * size.y });
      Object.assign(this._container.style, { width: size.x + "px", height: size.y + "px" });
      this.draw();
    },

    // Show these layers, the last on top.
    show(layers) {
      this.shown = layers;
      for (const layer of layers) layer.world ??= mercator(layer.xy);
      this.stamps.clear();
      if (this._container) this.draw();
    },

    draw() {
      const paper = this.paper, ratio = window.devicePixelRatio || 1, { min, max } = this._bounds;
      paper.setTransform(1, 0, 0, 1, 0, 0);
      paper.clearRect(0, 0, this._container.width, this._container.height);
      paper.setTransform(ratio, 0, 0, ratio, -min.x * ratio, -min.y * ratio);
      for (const picked of [false, true])
        for (const layer of this.shown) (layer.starts ? this.drawOutlines : this.drawDots).call(this, layer, picked, min, max);
    },

    place() {
      const scale = this._map.options.crs.scale(this._map.getZoom()), origin = this._map.getPixelOrigin();
      return [scale, origin.x, origin.y];
    },

    // Dots go into a sheet of pixels by hand: 20,000 calls of drawImage take the processor ten times as long.
    drawDots(layer, picked, min, max) {
      const [scale, left, top] = this.place(), { world } = layer, rows = picked ? layer.picked : world.length / 2;
      if (picked && !rows.size) return;
      const ratio = window.devicePixelRatio || 1, sheet = this.sheet();
      const one = (row) => {
        const x = world[2 * row] * scale - left, y = world[2 * row + 1] * scale - top;
        if (!(x > min.x - 20 && x < max.x + 20 && y > min.y - 20 && y < max.y + 20)) return; // also NaN
        const { pixels, size } = this.stamp(style(layer, row, picked));
        overlay(sheet, pixels, size, Math.round((x - min.x) * ratio - size / 2), Math.round((y - min.y) * ratio - size / 2));
      };
      if (picked) rows.forEach(one);
      else for (let row = 0; row < rows; row++) if (!layer.picked.has(row)) one(row);
      sheet.paper.putImageData(sheet.image, 0, 0);
      this.paper.drawImage(sheet.canvas, min.x, min.y, sheet.width / ratio, sheet.height / ratio);
    },

    // Pixels as large as the canvas, all clear; `words` are four bytes each.
    sheet() {
      const { width, height } = this._container;
      if (this.blank?.width !== width || this.blank?.height !== height) {
        const canvas = Object.assign(document.createElement("canvas"), { width, height });
        const paper = canvas.getContext("2d", { willReadFrequently: true }), image = paper.createImageData(width, height);
        this.blank = { width, height, canvas, paper, image, words: new Uint32Array(image.data.buffer), bytes: image.data };
      }
      this.blank.words.fill(0);
      return this.blank;
    },

    drawOutlines(layer, picked) {
      const rows = picked ? layer.picked : Array(layer.starts.length - 1).keys();
      for (const row of rows) {
        if (!picked && layer.picked.has(row)) continue;
        const { fill, line, width, alpha } = style(layer, row, picked);
        this.paper.beginPath();
        this.trace(layer, row, (x, y) => this.paper.lineTo(x, y));
        this.paper.closePath();
        Object.assign(this.paper, { fillStyle: fill, strokeStyle: line, lineWidth: width, lineJoin: "round", globalAlpha: alpha });
        this.paper.fill();
        this.paper.globalAlpha = 1;
        this.paper.stroke();
      }
    },

    trace(layer, row, to) {
      const [scale, left, top] = this.place(), { world, starts } = layer;
      for (let k = starts[row]; k < starts[row + 1]; k++) to(world[2 * k] * scale - left, world[2 * k + 1] * scale - top);
    },

    // A dot, drawn once: its pixels, and how many to a side.
    stamp({ fill, line, width, radius }) {
      const key = fill + line + width + radius;
      if (!this.stamps.has(key)) {
        const ratio = window.devicePixelRatio || 1, size = Math.ceil((2 * radius + width + 2) * ratio), image = document.createElement("canvas");
        image.width = image.height = size;
        const paper = image.getContext("2d", { willReadFrequently: true });
        paper.arc(size / 2, size / 2, radius * ratio, 0, 2 * Math.PI);
        Object.assign(paper, { fillStyle: fill, strokeStyle: line, lineWidth: width * ratio });
        paper.fill();
        paper.stroke();
        this.stamps.set(key, { size, pixels: paper.getImageData(0, 0, size, size).data });
      }
      return this.stamps.get(key);
    },

    // What is at a place of the map's layers (pixels): the nearest dot, else the smallest outline around it.
    at({ x, y }) {
      for (const layer of [...this.shown].reverse()) {
        const row = layer.starts ? this.outlineAt(layer, x, y) : this.dotAt(layer, x, y);
        if (row !== null) return { layer, row };
      }
      return null;
    },

    dotAt(layer, x, y) {
      const [scale, left, top] = this.place(), { world } = layer, reach = style(layer, 0, false).radius + 3;
      let best = null, nearest = reach * reach;
      for (let row = 0; row < world.length / 2; row++) {
        const dx = world[2 * row] * scale - left - x, dy = world[2 * row + 1] * scale - top - y, apart = dx * dx + dy * dy;
        if (apart <= nearest) [best, nearest] = [row, apart];
      }
      return best;
    },

    outlineAt(layer, x, y) {
      let best = null, least = Infinity;
      for (let row = 0; row < layer.starts.length - 1; row++) {
        const ring = [];
        this.trace(layer, row, (a, b) => ring.push([a, b]));
        let inside = false, area = 0;
        ring.forEach(([xa, ya], i) => {
          const [xb, yb] = ring[(i + 1) % ring.length];
          area += xa * yb - xb * ya;
          if (ya > y !== yb > y && x < ((xb - xa) * (y - ya)) / (yb - ya) + xa) inside = !inside;
        });
        if (inside && Math.abs(area) < least) [best, least] = [row, Math.abs(area)];
      }
      return best;
    },
  });
  return new Renderer({ pane, padding: 0.3 });
}
