/* Marks over the scene, drawn as vectors so that they stay sharp: picked points, a measured line,
 * north and a scale. */

import { Vector3 } from "three";
import { FIELD } from "./orbit.js";

const SVG = "http://www.w3.org/2000/svg";

function make(name, attributes, parent) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  parent.append(element);
  return element;
}

export class Marks {
  constructor(stage) {
    this.svg = make("svg", { class: "cx-scene-marks", "aria-hidden": "true" }, stage);
    this.line = make("path", { class: "cx-scene-line" }, this.svg);
    this.legs = make("path", { class: "cx-scene-legs" }, this.svg);
    this.dots = ["a", "b"].map(() => make("g", { class: "cx-scene-dot" }, this.svg));
    for (const dot of this.dots) {
      make("circle", { r: 6 }, dot);
      make("circle", { r: 1.6, class: "cx-scene-core" }, dot);
    }
    this.text = make("text", { class: "cx-scene-length" }, this.svg);
    this.north = make("g", { class: "cx-scene-north" }, this.svg);
    make("circle", { r: 23 }, this.north);
    this.needle = make("g", {}, this.north);
    make("path", { d: "M0,-9 L4,8 L0,5 L-4,8 Z" }, this.needle);
    this.letter = make("text", { "dominant-baseline": "central" }, this.north);
    this.letter.textContent = "N";
    this.scale = make("g", { class: "cx-scene-scale" }, this.svg);
    this.bar = make("path", {}, this.scale);
    this.scaleText = make("text", {}, this.scale);
    this.ends = [];
  }

  update(picked, measured) {
    this.ends = measured?.ends ?? (picked?.at ? [picked.at] : []);
    this.corner = measured?.ends?.length === 2 ? [measured.ends[1][0], measured.ends[1][1], measured.ends[0][2]] : null;
    this.text.textContent = measured?.short ?? "";
  }

  place(camera, canvas, state) {
    const width = canvas.clientWidth, height = canvas.clientHeight;
    if (!width || !height) return;
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const spot = (at) => {
      const v = new Vector3(...at).project(camera);
      return v.z > 1 ? null : [(v.x + 1) * width / 2, (1 - v.y) * height / 2];
    };
    const spots = this.ends.map(spot);
    this.dots.forEach((dot, i) => {
      dot.style.display = spots[i] ? "" : "none";
      if (spots[i]) dot.setAttribute("transform", `translate(${spots[i]})`);
    });
    const [a, b] = spots;
    const both = a && b;
    const corner = both && this.corner ? spot(this.corner) : null;
    this.line.setAttribute("d", both ? `M${a}L${b}` : "");
    this.legs.setAttribute("d", corner ? `M${a}L${corner}L${b}` : "");
    this.text.style.display = both ? "" : "none";
    if (both) {
      this.text.setAttribute("x", (a[0] + b[0]) / 2);
      this.text.setAttribute("y", (a[1] + b[1]) / 2 - 9);
    }
    this.north.setAttribute("transform", `translate(${width - 36},36)`);
    this.needle.setAttribute("transform", `rotate(${-state.azimuth})`);
    const turn = (-state.azimuth * Math.PI) / 180;
    this.letter.setAttribute("x", 16 * Math.sin(turn));
    this.letter.setAttribute("y", -16 * Math.cos(turn));
    const metre = height / (2 * state.distance * Math.tan((FIELD * Math.PI) / 360));
    const most = 120 / metre;
    const power = 10 ** Math.floor(Math.log10(most));
    const length = [5, 2, 1].find((n) => n * power <= most) * power;
    const pixels = length * metre;
    this.bar.setAttribute("d", `M${width - 16 - pixels},${height - 18}v5h${pixels}v-5`);
    this.scaleText.setAttribute("x", width - 16 - pixels / 2);
    this.scaleText.setAttribute("y", height - 21);
    this.scaleText.textContent = length >= 1000 ? `${length / 1000} km` : length >= 1 ? `${length} m` : length >= 0.01 ? `${Math.round(length * 100)} cm` : `${Math.round(length * 1000)} mm`;
  }
}
