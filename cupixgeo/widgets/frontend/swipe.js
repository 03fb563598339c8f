// A divider on the map: left of it one picture, right of it the other. Dragged, or moved with the arrow keys.

const SWIPE_STEP = 0.02;

class Swipe {
  // `paneOf(key)` answers the pane a picture is in, if it is shown.
  constructor(model, map, paneOf) {
    Object.assign(this, { model, map, paneOf, clipped: [] });
    this.bar = document.createElement("div");
    this.bar.className = "cx-swipe";
    this.bar.append(...["left", "right"].map((side) => Object.assign(document.createElement("span"), { className: side })));
    for (const [name, value] of [["role", "slider"], ["tabindex", "0"], ["aria-valuemin", "0"], ["aria-valuemax", "100"]]) this.bar.setAttribute(name, value);
    map.getContainer().append(this.bar);
    const stop = (event) => event.stopPropagation(); // the map shall not be dragged along
    for (const name of ["mousedown", "touchstart", "dblclick", "click"]) this.bar.addEventListener(name, stop);
    this.bar.addEventListener("pointerdown", (event) => {
      event.stopPropagation();
      this.bar.setPointerCapture(event.pointerId);
    });
    this.bar.addEventListener("pointermove", (event) => {
      if (!this.bar.hasPointerCapture(event.pointerId)) return;
      const box = map.getContainer().getBoundingClientRect();
      this.move((event.clientX - box.left) / box.width);
    });
    this.bar.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -SWIPE_STEP, ArrowRight: SWIPE_STEP }[event.key];
      if (!step) return;
      event.stopPropagation();
      event.preventDefault();
      this.move(this.model.get("swipe").at + step);
    });
    map.on("move zoomend viewreset resize", () => this.draw());
  }

  move(at) {
    this.model.set("swipe", { ...this.model.get("swipe"), at: Math.min(1, Math.max(0, at)) });
    this.model.save_changes();
  }

  draw() {
    const { left, right, at } = this.model.get("swipe");
    for (const pane of this.clipped) pane.style.clipPath = "";
    this.clipped = [];
    this.bar.hidden = at === undefined;
    if (this.bar.hidden) return;
    const { x: width, y: height } = this.map.getSize(), x = at * width;
    this.bar.style.left = x + "px";
    this.bar.setAttribute("aria-label", `Swipe between ${left} and ${right}`);
    this.bar.setAttribute("aria-valuenow", Math.round(100 * at));
    const [a, b] = this.bar.querySelectorAll("span");
    [a.textContent, b.textContent] = [left, right];
    for (const [key, from, to] of [[left, 0, x], [right, x, width]]) {
      const pane = this.paneOf(key);
      if (!pane) continue;
      const corners = [[from, 0], [to, 0], [to, height], [from, height]].map((corner) => this.map.containerPointToLayerPoint(corner));
      pane.style.clipPath = `polygon(${corners.map((corner) => `${corner.x}px ${corner.y}px`).join(",")})`;
      this.clipped.push(pane);
    }
  }
}
