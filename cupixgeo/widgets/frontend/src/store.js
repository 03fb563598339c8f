/* What all views of one widget share: the clouds' points, the camera, and the talk with the kernel.
 *
 * Points are kept here once, however many views show them. The store asks the kernel for a few
 * nodes at a time, the most needed first; what was not looked at for longest goes when there is
 * too much. */

import { octree, select } from "./select.js";
import { eyeOf, home } from "./orbit.js";

const ASKED_AT_ONCE = 6;
const IMPATIENT_MS = 4000;

/* Colours of four bytes each: graphics cards take no others without copying them first. */
function inFours(rgb) {
  const rgba = new Uint8Array((rgb.length / 3) * 4);
  for (let i = 0, j = 0; i < rgb.length; i += 3, j += 4) {
    rgba[j] = rgb[i];
    rgba[j + 1] = rgb[i + 1];
    rgba[j + 2] = rgb[i + 2];
  }
  return rgba;
}

export class Store {
  constructor(model) {
    this.model = model;
    this.views = new Set();
    this.clouds = new Map();
    this.selected = [];
    this.asked = new Map();
    this.seen = new Set();
    this.turn = 0;
    this.moving = false;
    this.camera = null;
    this.aspect = 2;
    this.failed = "";
    model.on("msg:custom", (message, buffers) => this.receive(message, buffers));
    model.on("change:clouds", () => this.readClouds());
    model.on("change:shown", () => this.reselect());
    model.on("change:clip", () => { this.reselect(); this.tell("clip"); });
    model.on("change:paint", () => { this.seen.clear(); this.tell("paint"); this.pump(); });
    model.on("change:viewpoint", () => this.readViewpoint());
    model.on("change:point_size", () => this.reselect());
    for (const name of ["frusta", "show_cameras"])
      model.on(`change:${name}`, () => { if (!this.moved) { this.camera = null; this.tell("camera"); } });
    for (const name of ["point_size", "shading", "picked", "measured", "frusta", "show_cameras", "mode"])
      model.on(`change:${name}`, () => this.tell(name));
    for (const name of ["color", "colors", "status"]) model.on(`change:${name}`, () => this.tell("panel"));
    this.readClouds();
    this.readViewpoint();
  }

  get paint() { return this.model.get("paint"); }
  get shown() { return new Set(this.model.get("shown")); }
  get clip() { return this.model.get("clip"); }

  /* n × 5 × 3 metres: the eye of each camera, then the corners of its picture. */
  get frusta() {
    const told = this.model.get("frusta");
    return told?.byteLength ? new Float32Array(told.buffer.slice(told.byteOffset, told.byteOffset + told.byteLength)) : new Float32Array(0);
  }

  tell(what, detail) { for (const view of [...this.views]) view.hear(what, detail); }

  set(values) {
    for (const [name, value] of Object.entries(values)) this.model.set(name, value);
    this.model.save_changes();
  }

  // -- clouds ---------------------------------------------------------------------------------

  readClouds() {
    const told = this.model.get("clouds");
    const ids = new Set(told.map((cloud) => cloud.id));
    for (const id of [...this.clouds.keys()])
      if (!ids.has(id)) { this.forget(this.clouds.get(id).nodes); this.clouds.delete(id); }
    for (const cloud of told) if (!this.clouds.has(cloud.id)) this.take(cloud);
    if (!this.moved) this.camera = null;
    this.reselect();
    this.tell("clouds");
  }

  take(cloud) {
    const entry = { ...cloud, nodes: [], tops: [] };
    const [low, high] = cloud.core; // between points, were they spread evenly over the ground
    entry.gap = Math.sqrt(((high[0] - low[0]) * (high[1] - low[1])) / cloud.points);
    this.clouds.set(cloud.id, entry);
    if (cloud.kind === "octree") { this.model.send({ kind: "table", cloud: cloud.id }); return; }
    const each = Math.floor(cloud.points / cloud.blocks); // to a point, until it is there
    entry.nodes = Array.from({ length: cloud.blocks }, (_, index) => ({
      index, turn: index, cloud: entry, count: each, low: cloud.low, size: cloud.size, children: [],
    }));
    entry.tops = entry.nodes;
  }

  /* Box of the clouds that are switched on; `core` leaves their outliers out. */
  box(core = false) {
    const shown = this.shown;
    const low = [Infinity, Infinity, Infinity], high = [-Infinity, -Infinity, -Infinity];
    for (const cloud of this.clouds.values()) {
      if (!shown.has(cloud.id)) continue;
      for (let i = 0; i < 3; i++) {
        const box = core ? cloud.core : cloud.box;
        low[i] = Math.min(low[i], box[0][i]);
        high[i] = Math.max(high[i], box[1][i]);
      }
    }
    const frusta = this.frusta;
    if (core && this.model.get("show_cameras"))
      for (let i = 0; i < frusta.length; i += 15)
        for (let k = 0; k < 3; k++) {
          low[k] = Math.min(low[k], frusta[i + k]);
          high[k] = Math.max(high[k], frusta[i + k]);
        }
    if (!(low[0] <= high[0])) return { low: [-1, -1, -1], size: [2, 2, 2] };
    return { low, size: high.map((h, i) => h - low[i]) };
  }

  // -- camera ---------------------------------------------------------------------------------

  readViewpoint() {
    const told = this.model.get("viewpoint");
    if (JSON.stringify(told) === this.said) return;
    this.moved = Boolean(told?.target);
    this.camera = this.moved ? told : null;
    this.reselect();
    this.tell("camera");
  }

  look() {
    if (!this.camera) {
      const { low, size } = this.box(true);
      this.camera = home(low, size, this.aspect);
    }
    return this.camera;
  }

  lookFrom(camera) {
    this.camera = camera;
    this.moved = true;
    this.moving = true;
    this.tell("camera");
    if (!this.later) this.later = setTimeout(() => { this.later = 0; this.reselect(); }, 120);
  }

  rest() {
    if (!this.moving) return;
    this.moving = false;
    this.said = JSON.stringify(this.camera);
    this.set({ viewpoint: this.camera });
    this.reselect();
    this.tell("camera");
  }

  reset() {
    this.moved = false;
    this.moving = false;
    this.camera = null;
    this.said = "{}";
    this.set({ viewpoint: {} });
    this.reselect();
    this.tell("camera");
  }

  // -- nodes ----------------------------------------------------------------------------------

  reselect() {
    if (!this.views.size) return;
    const wide = (view) => view.canvas.clientWidth; // the widest sees all that the others see
    const view = [...this.views].reduce((a, b) => (wide(b) > wide(a) ? b : a));
    const shown = this.shown;
    const tops = [...this.clouds.values()].filter((c) => shown.has(c.id)).flatMap((c) => c.tops);
    const planes = view.planes();
    const clip = this.clip;
    if (clip.length) for (let i = 0; i < 3; i++) {
      const normal = [0, 0, 0];
      normal[i] = 1;
      planes.push([...normal, -clip[i]], [...normal.map((n) => -n), clip[i + 3]]);
    }
    const seen = { eye: eyeOf(this.look()), planes, pixels: view.pixelsPerRadian, finest: Math.max(1.2, this.model.get("point_size")) };
    const { chosen } = select(tops, seen, this.model.get("max_points"));
    this.turn += 1;
    for (const node of chosen) node.used = this.turn;
    const same = chosen.length === this.selected.length && chosen.every((n, i) => n === this.selected[i]);
    this.selected = chosen;
    if (!same) this.tell("selection");
    this.evict();
    this.pump();
  }

  ready(node) {
    const channel = this.paint.channel;
    return Boolean(node.bits) && (!channel || node.channel === channel || node.plain === channel);
  }

  pump() {
    if (this.gone) return;
    for (const node of this.selected) {
      if (this.asked.size >= ASKED_AT_ONCE) return;
      const key = `${node.cloud.id} ${node.index}`;
      if (this.asked.has(key) || node.lost || this.ready(node)) continue;
      this.asked.set(key, { node, since: performance.now() });
      this.model.send({ kind: "want", cloud: node.cloud.id, node: node.index, bits: !node.bits, channel: this.paint.channel });
    }
    if (this.asked.size && !this.watch) this.watch = setTimeout(() => { this.watch = 0; this.waiting(); }, IMPATIENT_MS);
    if (!this.asked.size) this.tell("panel");
  }

  waiting() {
    if (!this.asked.size) return;
    this.late = [...this.asked.values()].some((a) => performance.now() - a.since > IMPATIENT_MS);
    this.tell("panel");
    this.watch = setTimeout(() => { this.watch = 0; this.waiting(); }, IMPATIENT_MS);
  }

  receive(message, buffers) {
    if (message.kind === "table") { this.takeTable(message, buffers[0]); return; }
    const key = `${message.cloud} ${message.node}`;
    const node = this.asked.get(key)?.node ?? this.clouds.get(message.cloud)?.nodes[message.node];
    this.asked.delete(key);
    this.late = false;
    if (!node) return;
    if (message.kind === "lost") { node.lost = true; this.pump(); return; }
    const copies = buffers.map((b) => b.buffer.slice(b.byteOffset, b.byteOffset + b.byteLength));
    if (message.bits) {
      node.bits = new Uint32Array(copies.shift());
      node.count = node.bits.length / 2;
      node.origin = message.low;
      node.step = message.step;
    }
    if (message.channel) this.takePaint(node, message, copies.shift());
    this.tell("node", node);
    this.pump();
  }

  takePaint(node, message, data) {
    node.plain = "";
    node.channel = message.channel;
    if (!data) { node.values = null; node.plain = message.channel; return; } // a cloud without it
    node.values = data.byteLength === 3 * node.count ? inFours(new Uint8Array(data)) : new Uint16Array(data);
    node.version = (node.version ?? 0) + 1;
    if (this.paint.kind !== "classes" || this.paint.channel !== message.channel) return;
    const before = this.seen.size;
    for (const value of node.values) this.seen.add(value);
    if (this.seen.size !== before) this.tell("legend");
  }

  takeTable(message, data) {
    const cloud = this.clouds.get(message.cloud);
    if (!cloud) return;
    const table = new Int32Array(data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength));
    const { nodes, tops } = octree(table, cloud.low, cloud.size, cloud.spacing);
    for (const node of nodes) node.cloud = cloud;
    cloud.gap = Math.min(...nodes.map((node) => node.spacing));
    Object.assign(cloud, { nodes, tops });
    this.reselect();
  }

  evict() {
    const most = 1.6 * this.model.get("max_points");
    const loaded = [...this.clouds.values()].flatMap((c) => c.nodes).filter((n) => n.bits);
    let points = loaded.reduce((sum, n) => sum + n.count, 0);
    if (points <= most) return;
    loaded.sort((a, b) => a.used - b.used);
    const going = [];
    for (const node of loaded) {
      if (points <= most || node.used === this.turn) break;
      points -= node.count;
      going.push(node);
    }
    this.forget(going);
  }

  forget(nodes) {
    for (const node of nodes) {
      node.bits = node.values = node.channel = null;
      this.tell("forget", node);
    }
  }

  lost() { this.gone = true; this.asked.clear(); this.tell("panel"); }

  pick(cloud, node, index) {
    this.model.send({ kind: "pick", cloud: cloud.id, node: node.index, index });
  }
}
