/* A camera that goes round a point: its state, where that puts the eye, and hands on it.
 *
 * {target: [x, y, z] m, distance: m, azimuth: deg the view looks to, clockwise from y (north),
 * elevation: deg the eye stands above the horizon of the target}. */

export const FIELD = 45; // angle of view from top to bottom, deg
const FILLED = 0.9; // how much of the view the clouds fill at first

const rad = (deg) => (deg * Math.PI) / 180;

/* Unit vectors of the view: where it looks, its right and its up. */
export function axes({ azimuth, elevation }) {
  const [sa, ca, se, ce] = [Math.sin(rad(azimuth)), Math.cos(rad(azimuth)), Math.sin(rad(elevation)), Math.cos(rad(elevation))];
  return { look: [sa * ce, ca * ce, -se], right: [ca, -sa, 0], up: [sa * se, ca * se, ce] };
}

export function eyeOf(camera) {
  const { look } = axes(camera);
  return camera.target.map((t, i) => t - camera.distance * look[i]);
}

/* The view that shows a box from the south-west and above. */
export function home(low, size, aspect) {
  const camera = { target: low.map((l, i) => l + size[i] / 2), distance: 1, azimuth: 30, elevation: 38 };
  const { look, right, up } = axes(camera);
  const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
  const corners = Array.from({ length: 8 }, (_, k) => size.map((s, i) => ((k >> i) & 1 ? s : -s) / 2));
  // from the distance D all corners are between -t and t of their depth D + z on both axes
  const fit = (axis, t) => {
    const ends = corners.map((c) => ({ v: dot(c, axis), z: dot(c, look) }));
    const distance = Math.max(...ends.flatMap((a) => ends.map((b) => (a.v - b.v) / (2 * t) - (a.z + b.z) / 2)));
    const middle = (d) => (Math.max(...ends.map((e) => e.v - (d + e.z) * t)) + Math.min(...ends.map((e) => e.v + (d + e.z) * t))) / 2;
    return { distance, middle };
  };
  const t = Math.tan(rad(FIELD / 2)) * FILLED;
  const [wide, high] = [fit(right, t * aspect), fit(up, t)];
  const distance = Math.max(wide.distance, high.distance, 0.05);
  return { ...moved(camera, wide.middle(distance), high.middle(distance)), distance };
}

export function turned(camera, right, up) {
  const azimuth = (((camera.azimuth + right) % 360) + 360) % 360;
  return { ...camera, azimuth, elevation: Math.min(90, Math.max(-90, camera.elevation + up)) };
}

export function moved(camera, right, up) {
  const a = axes(camera);
  return { ...camera, target: camera.target.map((t, i) => t + right * a.right[i] + up * a.up[i]) };
}

/* Come closer (factor < 1) to the target. */
export function zoomed(camera, factor) {
  return { ...camera, distance: Math.min(1e7, Math.max(0.02, camera.distance * factor)) };
}

/* Come closer (factor < 1) to a place, which stays where it is on the screen; the target goes to
 * its depth, so that one turns about what one came to see. */
export function towards(camera, place, factor) {
  const { look } = axes(camera);
  const eye = eyeOf(camera).map((e, i) => place[i] + (e - place[i]) * factor);
  const depth = look.reduce((sum, l, i) => sum + l * (place[i] - eye[i]), 0);
  const distance = Math.min(1e7, Math.max(0.02, depth));
  return { ...camera, distance, target: eye.map((e, i) => e + look[i] * distance) };
}

const KEYS = {
  ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1],
};

/* Mouse, touch and keys of a canvas. hooks: camera(), change(camera), rest(), click(x, y),
 * pivot(x, y), under(x, y) -> place, key(name) -> true where it was used, hint(). */
export function hands(canvas, hooks) {
  const fingers = new Map();
  let pointed = false;
  let button = 0, travelled = 0, spread = 0, timer = 0, zoomedAt = 0, place = null;
  const perPixel = () => (2 * hooks.camera().distance * Math.tan(rad(FIELD / 2))) / canvas.clientHeight;
  const restSoon = () => { clearTimeout(timer); timer = setTimeout(hooks.rest, 250); };
  const off = (event) => {
    const box = canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  };
  const zoomAt = (factor, x, y) => {
    // what is under the cursor is looked for once a gesture
    const now = performance.now();
    if (!place || now - zoomedAt > 600) place = hooks.under(x, y) ?? moved(hooks.camera(), (x - canvas.clientWidth / 2) * perPixel(), (canvas.clientHeight / 2 - y) * perPixel()).target;
    zoomedAt = now;
    hooks.change(towards(hooks.camera(), place, factor));
    restSoon();
  };
  const apart = () => {
    const [a, b] = [...fingers.values()];
    return Math.hypot(a.x - b.x, a.y - b.y);
  };
  const listeners = {
    pointerdown(event) {
      pointed = true;
      canvas.classList.remove("cx-scene-keys");
      canvas.focus({ preventScroll: true });
      pointed = false;
      canvas.setPointerCapture(event.pointerId);
      fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
      if (fingers.size === 1) { button = event.button; travelled = 0; }
      if (fingers.size === 2) spread = apart();
    },
    pointermove(event) {
      const before = fingers.get(event.pointerId);
      if (!before) return;
      const dx = (event.clientX - before.x) / fingers.size, dy = (event.clientY - before.y) / fingers.size;
      fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
      travelled += Math.abs(dx) + Math.abs(dy);
      if (travelled < 4) return;
      if (fingers.size === 2) {
        const now = apart();
        hooks.change(zoomed(moved(hooks.camera(), -dx * perPixel(), dy * perPixel()), spread / Math.max(now, 1)));
        spread = now;
      } else if (button === 2 || button === 1 || event.shiftKey) {
        hooks.change(moved(hooks.camera(), -dx * perPixel(), dy * perPixel()));
      } else {
        hooks.change(turned(hooks.camera(), dx * 0.35, dy * 0.35));
      }
    },
    pointerup(event) {
      if (!fingers.delete(event.pointerId)) return;
      if (travelled < 4 && event.button === 0) hooks.click(...off(event));
      else hooks.rest();
    },
    pointercancel(event) { fingers.delete(event.pointerId); hooks.rest(); },
    dblclick(event) { hooks.pivot(...off(event)); },
    focus() { canvas.classList.toggle("cx-scene-keys", !pointed); },
    contextmenu(event) { event.preventDefault(); },
    wheel(event) {
      if (document.activeElement !== canvas && !event.ctrlKey) { hooks.hint(); return; }
      event.preventDefault();
      const lines = event.deltaMode === 1 ? 33 : 1;
      zoomAt(1.0012 ** Math.max(-400, Math.min(400, event.deltaY * lines)), ...off(event));
    },
    keydown(event) {
      canvas.classList.add("cx-scene-keys");
      if (event.altKey || event.metaKey || (event.ctrlKey && !KEYS[event.key])) return;
      const [right, up] = KEYS[event.key] ?? [0, 0];
      const step = 40 * perPixel();
      if (right || up) hooks.change(event.shiftKey ? moved(hooks.camera(), -right * step, up * step) : turned(hooks.camera(), right * 6, up * 6));
      else if (event.key === "+" || event.key === "=") hooks.change(zoomed(hooks.camera(), 0.8));
      else if (event.key === "-") hooks.change(zoomed(hooks.camera(), 1.25));
      else if (!hooks.key(event.key)) return;
      restSoon();
      event.preventDefault();
      event.stopPropagation();
    },
  };
  for (const [name, listener] of Object.entries(listeners))
    canvas.addEventListener(name, listener, { passive: false });
  return () => clearTimeout(timer);
}
