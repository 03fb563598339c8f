/* Lines among the points: the cameras' frusta and the edges of the clipping box. */

import { BufferAttribute, BufferGeometry, Color, LineBasicMaterial, LineSegments, Scene } from "three";

const BOX_EDGES = [0, 1, 1, 3, 3, 2, 2, 0, 4, 5, 5, 7, 7, 6, 6, 4, 0, 4, 1, 5, 2, 6, 3, 7];
const FRUSTUM_EDGES = [0, 1, 0, 2, 0, 3, 0, 4, 1, 2, 2, 3, 3, 4, 4, 1];

function coloured(text) {
  const [r, g, b] = (text.match(/[\d.]+/g) ?? [255, 150, 0]).map(Number);
  return new Color(r / 255, g / 255, b / 255);
}

export class Lines {
  constructor() {
    this.scene = new Scene();
    this.frusta = new LineSegments(new BufferGeometry(), new LineBasicMaterial());
    this.box = new LineSegments(new BufferGeometry(), new LineBasicMaterial());
    for (const lines of [this.frusta, this.box]) {
      lines.frustumCulled = false;
      this.scene.add(lines);
    }
  }

  update(store, style) {
    const probe = (name, fallback) => coloured(style.getPropertyValue(name).trim() || fallback);
    this.frusta.material.color = probe("--cx-scene-camera", "rgb(230,126,20)");
    this.box.material.color = probe("--cx-scene-clip", "rgb(25,118,210)");
    const model = store.model;
    const view = store.frusta;
    const segments = [];
    if (model.get("show_cameras"))
      for (let i = 0; i < view.length; i += 15)
        for (const corner of FRUSTUM_EDGES) segments.push(view[i + 3 * corner], view[i + 3 * corner + 1], view[i + 3 * corner + 2]);
    this.fill(this.frusta, segments);
    const clip = store.clip;
    const edges = [];
    if (clip.length)
      for (const corner of BOX_EDGES) edges.push(clip[corner & 1 ? 3 : 0], clip[corner & 2 ? 4 : 1], clip[corner & 4 ? 5 : 2]);
    this.fill(this.box, edges);
  }

  fill(lines, positions) {
    lines.visible = positions.length > 0;
    lines.geometry.dispose();
    lines.geometry = new BufferGeometry();
    lines.geometry.setAttribute("position", new BufferAttribute(new Float32Array(positions), 3));
  }

  draw(renderer, camera) { renderer.render(this.scene, camera); }

  dispose() {
    for (const lines of [this.frusta, this.box]) { lines.geometry.dispose(); lines.material.dispose(); }
  }
}
