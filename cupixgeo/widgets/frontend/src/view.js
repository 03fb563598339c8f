/* One view of a widget: a canvas, drawn a slice of points a frame so that it always answers. */

import { Matrix4, PerspectiveCamera, Scene, WebGLRenderer, LinearSRGBColorSpace } from "three";
import { FIELD, axes, eyeOf, hands, towards } from "./orbit.js";
import { Lines } from "./lines.js";
import { Marks } from "./marks.js";
import { Cloudscape, nearest } from "./points.js";
import { Shading } from "./shading.js";

const SMALLEST_SLICE = 65_536, LARGEST_SLICE = 50_000_000;
const FRAME_MS = { moving: 80, still: 200 };
const SHOW_EVERY_MS = 700;
const REACH = 9; // pixels from the cursor a picked point may be

export class View {
  constructor(store, stage, panel) {
    this.store = store;
    this.panel = panel;
    this.stage = stage;
    this.canvas = document.createElement("canvas");
    this.canvas.className = "cx-scene-canvas";
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute("role", "application");
    this.canvas.setAttribute("aria-label", "3-D scene. Arrow keys turn, with Shift they move; plus and minus zoom; Enter picks the point in the middle; Home resets the view; Escape clears what was picked.");
    stage.prepend(this.canvas);
    this.renderer = new WebGLRenderer({ canvas: this.canvas, alpha: true, premultipliedAlpha: true });
    this.renderer.autoClear = false;
    this.renderer.outputColorSpace = LinearSRGBColorSpace; // colours come as they are to be shown
    this.camera = new PerspectiveCamera(FIELD, 1, 0.1, 1e4);
    this.camera.matrixAutoUpdate = true;
    this.shading = new Shading();
    this.points = new Cloudscape(store);
    this.lines = new Lines();
    this.marks = new Marks(stage);
    this.scene = new Scene();
    this.drawn = new Set();
    this.sliceSize = 4 * SMALLEST_SLICE;
    this.fresh = true;
    this.letGo = hands(this.canvas, this.hooks());
    this.resizer = new ResizeObserver(() => this.resize());
    this.resizer.observe(stage);
    this.watcher = new IntersectionObserver(([entry]) => { this.visible = entry.isIntersecting; this.wake(); });
    this.watcher.observe(stage);
    this.visible = true;
    this.canvas.addEventListener("webglcontextrestored", () => this.redraw());
    stage.cxView = this;
    store.views.add(this);
    this.resize();
    this.linesChanged();
    store.reselect();
  }

  hooks() {
    const store = this.store;
    return {
      camera: () => store.look(),
      change: (camera) => store.lookFrom(camera),
      rest: () => store.rest(),
      click: (x, y) => this.pick(x, y),
      hint: () => this.panel.hint("Click the scene before zooming with the wheel, or hold Ctrl"),
      under: (x, y) => this.hit(x, y, { points: 400_000, reach: 25 })?.position,
      pivot: (x, y) => {
        const hit = this.hit(x, y);
        if (!hit) return;
        const camera = towards(store.look(), hit.position, 0.6);
        store.lookFrom({ ...camera, target: hit.position });
        store.rest();
      },
      key: (name) => {
        if (name === "Home") store.reset();
        else if (name === "Enter") this.pick(this.canvas.clientWidth / 2, this.canvas.clientHeight / 2);
        else if (name === "Escape") store.model.send({ kind: "clear" });
        else return false;
        return true;
      },
    };
  }

  // -- what happens ---------------------------------------------------------------------------

  hear(what, detail) {
    if (what === "camera" || what === "selection") this.redraw();
    else if (what === "node") { if (this.drawn.delete(detail)) this.redraw(); else this.wake(); }
    else if (what === "forget") { this.points.forget(detail); this.drawn.delete(detail); }
    else if (what === "paint") { this.points.repaint(); this.redraw(); }
    else if (what === "point_size") this.redraw();
    else if (["frusta", "show_cameras", "clouds", "picked", "measured", "mode"].includes(what)) this.linesChanged();
    else if (what === "shading") this.showOnly();
    else if (what === "clip") { this.linesChanged(); this.redraw(); }
    this.panel.hear(what);
  }

  linesChanged() {
    const model = this.store.model;
    this.lines.update(this.store, getComputedStyle(this.stage));
    this.marks.update(model.get("picked"), model.get("measured"));
    this.showOnly();
  }

  resize() {
    const width = this.stage.clientWidth, height = this.stage.clientHeight;
    if (!width || !height) return;
    const ratio = Math.min(window.devicePixelRatio || 1, 2);
    this.renderer.setPixelRatio(ratio);
    this.renderer.setSize(width, height, false);
    this.shading.resize(Math.round(width * ratio), Math.round(height * ratio), ratio);
    this.ratio = ratio;
    this.camera.aspect = this.store.aspect = width / height;
    if (!this.store.moved) this.store.camera = null;
    this.redraw();
    this.store.reselect();
  }

  get pixelsPerRadian() { return this.canvas.clientHeight / ((FIELD * Math.PI) / 180); }

  aim() {
    const state = this.store.look();
    const eye = eyeOf(state), { up } = axes(state);
    const { low, size } = this.store.box();
    const middle = low.map((l, i) => l + size[i] / 2);
    const reach = Math.hypot(...size) / 2 + Math.hypot(...middle.map((m, i) => m - eye[i]));
    this.camera.far = Math.max(reach * 1.2, state.distance * 2);
    this.camera.near = Math.max(state.distance / 100, this.camera.far / 50_000);
    this.camera.position.set(...eye);
    this.camera.up.set(...up);
    this.camera.lookAt(...state.target);
    this.camera.updateProjectionMatrix();
    this.camera.updateMatrixWorld();
    return new Matrix4().multiplyMatrices(this.camera.projectionMatrix, this.camera.matrixWorldInverse).elements;
  }

  /* Planes of what the view sees, [nx, ny, nz, d] pointing inwards. */
  planes() {
    const m = this.aim();
    const row = (r) => [m[r], m[4 + r], m[8 + r], m[12 + r]];
    const w = row(3);
    return [0, 1].flatMap((r) => [1, -1].map((s) => w.map((v, i) => v + s * row(r)[i]))).concat([w]);
  }

  // -- drawing --------------------------------------------------------------------------------

  /* Begin again: the camera, a colour or a size has changed. */
  redraw() { this.fresh = true; this.wake(); }

  /* The points stay as they are; what is over them has changed. */
  showOnly() { this.stale = true; this.wake(); }

  wake() {
    if (this.waiting || !this.visible || this.closed) return;
    this.waiting = true;
    const next = () => { this.waiting = false; this.frame(); };
    // what moves keeps the screen's pace; else slices follow one another as the card takes them
    if (this.store.moving) requestAnimationFrame(next);
    else setTimeout(next, this.sync ? 4 : 0);
  }

  frame() {
    if (this.closed || !this.visible || !this.shading.target) return;
    if (this.busy()) { this.wake(); return; }
    const store = this.store;
    const ready = store.selected.filter((node) => store.ready(node));
    if (this.fresh && (ready.length || !store.selected.length)) {
      this.aim();
      this.points.size = store.model.get("point_size") * this.ratio;
      this.points.perMetre = this.pixelsPerRadian * this.ratio;
      this.shading.clear(this.renderer);
      this.drawn.clear();
      this.fresh = false;
      this.stale = true;
    }
    const slice = this.fresh ? [] : this.slice(ready);
    if (slice.length) {
      this.scene.children = slice.map((node) => this.points.of(node));
      this.shading.collect(this.renderer, this.scene, this.camera);
      for (const node of slice) this.drawn.add(node);
    }
    const whole = !this.fresh && this.drawn.size === store.selected.length;
    const due = performance.now() - (this.shownAt ?? 0) > SHOW_EVERY_MS;
    if (slice.length) this.stale = true;
    // with nothing to show yet the shader need not be made yet, and the points are asked for sooner
    const first = this.drawn.size === slice.length;
    if (this.stale && !this.fresh && (whole || due || first || store.moving)) this.show(whole);
    if (slice.length) this.fence();
    this.tellWhatIsDrawn(ready);
    if (!this.fresh && (this.stale || this.drawn.size < ready.length)) this.wake();
  }

  show(whole) {
    const around = this.store.model.get("shading") ? (whole && !this.store.moving ? 8 : 4) : 0;
    this.stale = false;
    this.shownAt = performance.now();
    this.shading.show(this.renderer, this.camera, around);
    this.lines.draw(this.renderer, this.camera);
    this.marks.place(this.camera, this.canvas, this.store.look());
  }

  slice(ready) {
    const slice = [];
    let points = 0;
    for (const node of ready) {
      if (this.drawn.has(node)) continue;
      if (points && points + node.count > this.sliceSize) break;
      points += node.count;
      slice.push(node);
    }
    this.sliced = points;
    return slice;
  }

  /* Remember when the card was given work, to see how long it takes. */
  fence() {
    const gl = this.renderer.getContext();
    this.sync = { mark: gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0), since: performance.now() };
    gl.flush();
    this.wake();
  }

  busy() {
    if (!this.sync) return false;
    const gl = this.renderer.getContext();
    if (this.sync.mark && gl.getSyncParameter(this.sync.mark, gl.SYNC_STATUS) !== gl.SIGNALED) return true;
    if (this.sync.mark) gl.deleteSync(this.sync.mark);
    const took = performance.now() - this.sync.since;
    const wanted = this.store.moving ? FRAME_MS.moving : FRAME_MS.still;
    this.sync = null;
    if (!this.warm) { this.warm = true; return false; } // the first time shaders are made
    const factor = Math.min(2, Math.max(0.4, wanted / Math.max(took, 1)));
    const from = factor < 1 ? this.sliced : Math.max(this.sliceSize, this.sliced);
    this.sliceSize = Math.min(LARGEST_SLICE, Math.max(SMALLEST_SLICE, from * factor));
    return false;
  }

  tellWhatIsDrawn(ready) {
    const store = this.store;
    let points = 0;
    for (const node of this.drawn) points += node.count;
    const whole = !this.fresh && !this.stale && !this.sync && ready.length > 0 && this.drawn.size === store.selected.length;
    // what changes the page makes the browser draw all of it again: not at every slice
    if (!whole && this.told === this.shownAt) return;
    this.told = this.shownAt;
    this.stage.dataset.points = points;
    this.stage.dataset.complete = whole;
    this.panel.drawn(points, whole);
  }

  // -- picking --------------------------------------------------------------------------------

  /* The point under a place of the canvas, among all or among the first ones. */
  hit(x, y, { points = Infinity, reach = REACH } = {}) {
    const width = this.canvas.clientWidth, height = this.canvas.clientHeight;
    const at = [(2 * x) / width - 1, 1 - (2 * y) / height];
    let count = 0;
    const nodes = this.store.selected.filter((node) => node.bits && (count += node.count) - node.count < points);
    return nearest(nodes, this.aim(), at, [2 / width, 2 / height], reach, this.store.clip);
  }

  pick(x, y) {
    const hit = this.hit(x, y);
    if (hit) this.store.pick(hit.node.cloud, hit.node, hit.index);
    else this.panel.hint("There is no point under the cursor");
  }

  close() {
    this.closed = true;
    this.store.views.delete(this);
    this.letGo();
    this.resizer.disconnect();
    this.watcher.disconnect();
    this.points.dispose();
    this.shading.dispose();
    this.lines.dispose();
    this.renderer.dispose();
    this.renderer.forceContextLoss();
  }
}
