/* The 3-D scene of cupixgeo: an anywidget. One store a model, one view each time it is shown. */

import { Panel, h } from "./panel.js";
import { select, octree, inside, distanceTo } from "./select.js";
import { Store } from "./store.js";
import { View } from "./view.js";

function show(store, model, el) {
  const stage = h("div", { class: "cx-scene-stage", style: `height:${model.get("height")}px` });
  const panel = new Panel(store, stage);
  el.classList.add("cx-scene-view");
  el.append(panel.tools, stage, panel.readout);
  let view = null;
  try {
    view = new View(store, stage, panel);
  } catch (error) {
    stage.append(h("p", { class: "cx-scene-failure", role: "alert" }, `This browser cannot draw in 3-D: ${error.message}. Switch on WebGL 2, or use another browser.`));
  }
  const alive = () => { if (el.closest(".jupyter-widgets-disconnected")) store.lost(); };
  model.on("comm_live_update", alive);
  return () => { model.off("comm_live_update", alive); view?.close(); };
}

/* For tests that need no notebook. */
export const parts = { select, octree, inside, distanceTo };

/* Called once for each model. */
export default () => {
  let store;
  return {
    initialize({ model }) { store = new Store(model); },
    render({ model, el }) { return show(store, model, el); },
  };
};
