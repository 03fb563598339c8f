/* Blocks of packed points on the graphics card, and what colours them. */

import { BufferAttribute, BufferGeometry, Color, DataTexture, GLSL3, LinearFilter, Matrix4, Points, RGBAFormat, RawShaderMaterial, Vector2, Vector3 } from "three";

const STEPS = 2 ** 21 - 1;
const KINDS = { rgb: 0, height: 1, number: 2, classes: 3, cloud: 4 };

const VERTEX = `
precision highp float; precision highp int; precision highp sampler2D;
in uvec2 bits; in vec4 value;
uniform mat4 modelViewMatrix, projectionMatrix;
uniform float size, wide; uniform vec2 scale; uniform vec3 plain, low, high;
uniform sampler2D ramp;
out vec3 colour; out float across;
void main() {
  vec3 at = vec3(uvec3(bits.x & 0x1FFFFFu, (bits.x >> 21) | ((bits.y & 0x3FFu) << 11), (bits.y >> 10) & 0x1FFFFFu));
  if (any(lessThan(at, low)) || any(greaterThan(at, high))) { gl_Position = vec4(2.0, 2.0, 2.0, 1.0); return; }
  gl_Position = projectionMatrix * (modelViewMatrix * vec4(at, 1.0));
  // close by, points grow until they touch their neighbours, within reason
  across = clamp(wide / gl_Position.w, size, 3.5 * size);
  gl_PointSize = across;
#if KIND == 0
  colour = value.rgb;
#elif KIND == 1
  colour = texture(ramp, vec2(at.z * scale.x + scale.y, 0.5)).rgb;
#elif KIND == 2
  colour = texture(ramp, vec2(value.r * scale.x + scale.y, 0.5)).rgb;
#elif KIND == 3
  colour = texelFetch(ramp, ivec2(min(int(value.r * 65535.0 + 0.5), 255), 0), 0).rgb;
#else
  colour = plain;
#endif
}`;

const FRAGMENT = `
precision highp float;
in vec3 colour; in float across;
out vec4 outColour;
void main() {
  if (across > 4.5) { vec2 off = gl_PointCoord - 0.5; if (dot(off, off) > 0.25) discard; }
  outColour = vec4(colour, 1.0);
}`;

const rgbOf = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));

/* Colours of a paint as a texture of 256: a ramp, or the colour of each class. */
function texture(paint) {
  const data = new Uint8Array(256 * 4).fill(255);
  const smooth = paint.ramp.length > 0;
  const stops = paint.ramp.map(rgbOf);
  const classes = new Map(paint.classes.map((c) => [c.index, rgbOf(c.color)]));
  for (let i = 0; i < 256; i++) {
    let rgb = classes.get(i) ?? [138, 143, 152];
    if (smooth) {
      const place = (i / 255) * (stops.length - 1);
      const stop = Math.min(Math.floor(place), stops.length - 2);
      rgb = stops[stop].map((c, j) => Math.round(c + (stops[stop + 1][j] - c) * (place - stop)));
    }
    data.set(rgb, 4 * i);
  }
  const made = new DataTexture(data, 256, 1, RGBAFormat);
  if (smooth) made.magFilter = made.minFilter = LinearFilter;
  made.needsUpdate = true;
  return made;
}

/* The points of all clouds for one view. */
export class Cloudscape {
  constructor(store) {
    this.store = store;
    this.objects = new Map();
    this.uniforms = {
      size: { value: 2 }, wide: { value: 0 }, scale: { value: new Vector2() }, ramp: { value: null },
      plain: { value: new Vector3() }, low: { value: new Vector3() }, high: { value: new Vector3() },
    };
    this.materials = {}; // one program for each kind of paint: a branch costs at every point
    this.repaint();
  }

  repaint() {
    const paint = this.store.paint;
    this.uniforms.ramp.value?.dispose();
    this.uniforms.ramp.value = texture(paint);
    this.paint = paint;
  }

  set size(pixels) { this.uniforms.size.value = pixels; }

  material(kind) {
    return (this.materials[kind] ??= new RawShaderMaterial({
      glslVersion: GLSL3, vertexShader: VERTEX, fragmentShader: FRAGMENT, defines: { KIND: KINDS[kind] }, uniforms: this.uniforms,
    }));
  }

  /* The object that draws a node. */
  of(node) {
    let object = this.objects.get(node);
    if (!object) {
      const geometry = new BufferGeometry();
      geometry.setAttribute("bits", new BufferAttribute(node.bits, 2));
      object = new Points(geometry);
      object.frustumCulled = false;
      object.matrixAutoUpdate = object.matrixWorldAutoUpdate = false;
      object.matrixWorld = new Matrix4().makeScale(...node.step).setPosition(...node.origin);
      object.onBeforeRender = () => this.prepare(node, object);
      this.objects.set(node, object);
    }
    const geometry = object.geometry;
    if (node.values && object.userData.version !== node.version) {
      // a buffer of another size cannot be filled again
      if (geometry.attributes.value) { geometry.dispose(); geometry.deleteAttribute("value"); }
      geometry.setAttribute("value", new BufferAttribute(node.values, node.values.length / node.count, true));
      object.userData.version = node.version;
    }
    geometry.setDrawRange(0, node.count);
    const known = this.paint.channel === "" || (node.values && node.channel === this.paint.channel);
    object.material = this.material(known ? this.paint.kind : "cloud");
    object.userData.known = known;
    return object;
  }

  prepare(node, object) {
    const u = this.uniforms;
    const paint = this.paint;
    const hex = object.userData.known && paint.kind === "cloud" ? node.cloud.color : "#8a8f98";
    u.plain.value.set(...rgbOf(hex).map((c) => c / 255));
    u.wide.value = node.cloud.gap * this.perMetre;
    const span = paint.high - paint.low;
    if (paint.kind === "height") {
      // heights of the legend are in the CRS's unit, those of the node in metres from the origin
      const { origin, metres } = this.store.model.get("frame");
      const low = (paint.low - origin[2]) * metres[2];
      u.scale.value.set(node.step[2] / (span * metres[2]), (node.origin[2] - low) / (span * metres[2]));
    } else u.scale.value.set(paint.span / span, (paint.zero - paint.low) / span);
    const clip = this.store.clip;
    for (const [i, axis] of ["x", "y", "z"].entries()) {
      const off = (v) => (node.step[i] > 0 ? (v - node.origin[i]) / node.step[i] : v >= node.origin[i] ? 1e9 : -1e9);
      u.low.value[axis] = clip.length ? off(clip[i]) - 0.5 : -1;
      u.high.value[axis] = clip.length ? off(clip[i + 3]) + 0.5 : STEPS + 1;
    }
    object.material.uniformsNeedUpdate = true;
  }

  forget(node) {
    this.objects.get(node)?.geometry.dispose();
    this.objects.delete(node);
  }

  dispose() {
    for (const node of [...this.objects.keys()]) this.forget(node);
    this.uniforms.ramp.value?.dispose();
    for (const material of Object.values(this.materials)) material.dispose();
  }
}

/* The point nearest to the eye among those close to a place on the screen.
 *
 * matrix: projection times view, column-major. at: x, y in clip coordinates; perPixel: size of a
 * pixel there. Points further than `reach` pixels do not count; nearness on the screen wins over
 * small differences in depth. */
export function nearest(nodes, matrix, at, perPixel, reach, clip) {
  let best = null, least = Infinity;
  const m = matrix;
  for (const node of nodes) {
    const [sx, sy, sz] = node.step, [ox, oy, oz] = node.origin;
    const row = (r) => [m[r] * sx, m[4 + r] * sy, m[8 + r] * sz, m[r] * ox + m[4 + r] * oy + m[8 + r] * oz + m[12 + r]];
    const [ax, ay, az, aw] = row(0), [bx, by, bz, bw] = row(1), [dx, dy, dz, dw] = row(3);
    const bits = node.bits;
    for (let i = 0; i < node.count; i++) {
      const a = bits[2 * i], b = bits[2 * i + 1];
      const x = a & 0x1fffff, y = (a >>> 21) | ((b & 0x3ff) << 11), z = (b >>> 10) & 0x1fffff;
      const w = dx * x + dy * y + dz * z + dw;
      if (w <= 0) continue;
      const u = ((ax * x + ay * y + az * z + aw) / w - at[0]) / perPixel[0];
      if (u > reach || u < -reach) continue;
      const v = ((bx * x + by * y + bz * z + bw) / w - at[1]) / perPixel[1];
      if (v > reach || v < -reach) continue;
      const score = w * (1 + 0.004 * (u * u + v * v));
      if (score >= least) continue;
      const position = [ox + x * sx, oy + y * sy, oz + z * sz];
      if (clip.length && position.some((p, k) => p < clip[k] || p > clip[k + 3])) continue;
      least = score;
      best = { node, index: i, position };
    }
  }
  return best;
}

export const background = (hex) => new Color(...rgbOf(hex).map((c) => c / 255));
