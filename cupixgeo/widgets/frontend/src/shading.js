/* Points collected over several frames, and shown with edges darkened by depth.
 *
 * Colour and depth of the points are kept in a target that is added to until the camera moves, so
 * that each point is drawn once however slowly the points arrive, and no frame takes long. Showing
 * it darkens each pixel by how much nearer its neighbours are (C. Boucheny's eye-dome lighting),
 * which makes shape visible without normals, and works on any graphics card. */

import { BufferGeometry, BufferAttribute, DepthTexture, GLSL3, Mesh, NearestFilter, RawShaderMaterial, Scene, UnsignedIntType, Vector2, WebGLRenderTarget, Camera, NoBlending } from "three";

const VERTEX = `
in vec3 position;
out vec2 place;
void main() { place = position.xy * 0.5 + 0.5; gl_Position = vec4(position.xy, 0.0, 1.0); }`;

const FRAGMENT = `
precision highp float; precision highp sampler2D;
in vec2 place;
uniform sampler2D colour, depth; uniform vec2 range, offsets[8]; uniform float strength; uniform int around;
out vec4 outColour;
float away(float d) { return log2(range.x * range.y / (range.y - d * (range.y - range.x))); }
void main() {
  float d = texture(depth, place).r;
  if (d >= 1.0) discard;
  float dark = 0.0;
  if (around > 0) {
    float own = away(d);
    for (int i = 0; i < around; i++) {
      float other = texture(depth, place + offsets[i]).r;
      if (other < d) dark += min(own - away(other), 0.05);
    }
    dark = min(dark * strength / float(around), 1.7);
  }
  outColour = vec4(texture(colour, place).rgb * exp(-dark), 1.0);
  gl_FragDepth = d;
}`;

const STRENGTH = 180;
const RADIUS = 1.4; // pixels

export class Shading {
  constructor() {
    this.target = null;
    this.material = new RawShaderMaterial({
      glslVersion: GLSL3, vertexShader: VERTEX, fragmentShader: FRAGMENT, blending: NoBlending,
      uniforms: {
        colour: { value: null }, depth: { value: null }, range: { value: new Vector2() }, strength: { value: STRENGTH },
        around: { value: 8 }, offsets: { value: Array.from({ length: 8 }, () => new Vector2()) },
      },
    });
    const triangle = new BufferGeometry();
    triangle.setAttribute("position", new BufferAttribute(new Float32Array([-1, -1, 0, 3, -1, 0, -1, 3, 0]), 3));
    const mesh = new Mesh(triangle, this.material);
    mesh.frustumCulled = false;
    this.scene = new Scene();
    this.scene.add(mesh);
    this.camera = new Camera();
  }

  resize(width, height, ratio) {
    this.target?.depthTexture.dispose();
    this.target?.dispose();
    const depthTexture = new DepthTexture(width, height, UnsignedIntType);
    this.target = new WebGLRenderTarget(width, height, { minFilter: NearestFilter, magFilter: NearestFilter, depthTexture });
    const u = this.material.uniforms;
    u.colour.value = this.target.texture;
    u.depth.value = depthTexture;
    u.offsets.value.forEach((offset, i) => {
      const angle = (i % 4) * (Math.PI / 2) + (i < 4 ? Math.PI / 4 : 0); // the first four alone will do
      offset.set((Math.cos(angle) * RADIUS * ratio) / width, (Math.sin(angle) * RADIUS * ratio) / height);
    });
  }

  clear(renderer) {
    renderer.setRenderTarget(this.target);
    renderer.setClearColor(0, 0);
    renderer.clear();
  }

  /* Add what a scene holds to the target. */
  collect(renderer, scene, camera) {
    renderer.setRenderTarget(this.target);
    renderer.render(scene, camera);
  }

  /* Show the target on the canvas, each pixel darkened by 8, 4 or 0 of its neighbours. */
  show(renderer, camera, around) {
    this.material.uniforms.range.value.set(camera.near, camera.far);
    this.material.uniforms.around.value = around;
    renderer.setRenderTarget(null);
    renderer.setClearColor(0, 0);
    renderer.clear();
    renderer.render(this.scene, this.camera);
  }

  dispose() {
    this.target?.depthTexture.dispose();
    this.target?.dispose();
    this.scene.children[0].geometry.dispose();
    this.material.dispose();
  }
}
