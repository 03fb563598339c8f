// Draws the data of #site. Texts from the data only ever become text nodes.
(() => {
  const site = JSON.parse(document.getElementById("site").textContent);
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue("--" + name).trim();
  const palette = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a63d2", "#b8a100"];
  const narrow = window.matchMedia("(max-width: 640px)").matches;
  const panel = document.getElementById("panel");
  if (narrow) panel.open = false;

  const map = L.map("map", { preferCanvas: true, zoomControl: false, zoomSnap: 0.25, wheelPxPerZoomLevel: 100, maxZoom: 26, minZoom: 2 });
  map.attributionControl.setPrefix("Leaflet 1.9.4");
  L.control.zoom({ position: "topright" }).addTo(map);
  L.control.scale({ imperial: false, maxWidth: 140 }).addTo(map);
  for (const [name, z] of [["under", 100], ["picture", 200], ["outlines", 400], ["cameras", 450], ["degrees", 500]])
    map.createPane(name).style.zIndex = z;
  map.getPane("degrees").style.pointerEvents = "none";

  function element(tag, text, attributes) {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    return Object.assign(made, attributes);
  }

  function card(title, facts) {
    const box = element("div");
    box.append(element("strong", title));
    const list = element("dl");
    for (const [name, value] of facts) list.append(element("dt", name), element("dd", value));
    box.append(list);
    return box;
  }

  // --- graticule: meridians and parallels at a round step, redrawn for what is in view
  const net = graticule(L, map, {
    lines: "under", labels: "degrees", side: "right", colour: () => colour("grid"),
    clear: () => ({ left: narrow ? 0 : 170, top: 100, right: narrow ? 90 : 340, bottom: 110, base: narrow ? 78 : 4 }),
  });

  // --- the cloud's own picture
  const picture = site.overlay && L.imageOverlay(site.overlay.address, site.overlay.bounds, { pane: "picture", alt: "The point cloud from above" });

  // --- footprints
  const outlines = L.featureGroup();
  const shapes = site.footprints.map((footprint, i) => {
    const stroke = palette[i % palette.length];
    const shape = L.polygon(footprint.ring, { pane: "outlines", color: stroke, weight: 2, fillColor: stroke, fillOpacity: 0.06 });
    shape.bindPopup(() => card(footprint.name, footprint.facts));
    shape.on("mouseover", () => shape.setStyle({ weight: 4, fillOpacity: 0.16 }));
    shape.on("mouseout", () => shape.setStyle({ weight: 2, fillOpacity: 0.06 }));
    outlines.addLayer(shape);
    return shape;
  });

  // --- cameras: one canvas, thousands of circles
  const cameras = L.featureGroup();
  if (site.cameras) {
    const many = site.cameras.name.length > 2000;
    const dots = L.canvas({ pane: "cameras", tolerance: 3 });
    site.cameras.name.forEach((name, i) => {
      const dot = L.circleMarker([site.cameras.lat[i], site.cameras.lon[i]], {
        pane: "cameras", renderer: dots, radius: many ? 3 : 5, weight: many ? 0.5 : 1.5,
        color: colour("ring"), fillColor: colour("camera"), fillOpacity: 1,
      });
      dot.cameraName = name;
      cameras.addLayer(dot);
    });
    cameras.on("click", (event) => {
      L.DomEvent.stopPropagation(event);
      const dot = event.propagatedFrom || event.layer, at = dot.getLatLng();
      L.popup().setLatLng(at).setContent(card(dot.cameraName, [
        ["Longitude", degrees(at.lng, 7, "E", "W")], ["Latitude", degrees(at.lat, 7, "N", "S")],
      ])).openOn(map);
    });
  }

  // --- legend
  const layers = document.getElementById("layers");
  function toggle(id, name, layer, key, count) {
    const box = element("input", undefined, { type: "checkbox", checked: true, id: "layer-" + id });
    box.addEventListener("change", () => (box.checked ? layer.addTo(map) : layer.remove()));
    const label = element("label");
    label.append(box, element("span", undefined, { className: "key " + key }), element("span", name));
    if (count !== undefined) label.append(element("b", count.toLocaleString("en")));
    layers.append(label);
    layer.addTo(map);
  }
  map.fitBounds(site.bounds, {
    paddingTopLeft: narrow ? [24, 70] : [324, 40], paddingBottomRight: narrow ? [24, 70] : [90, 60], maxZoom: 24,
  });
  toggle("graticule", "Graticule", net, "grid");
  if (picture) {
    toggle("picture", "Top view", picture, "view");
    const slide = element("label", "Opacity", { className: "slide" });
    const range = element("input", undefined, { type: "range", min: 0, max: 1, step: 0.05, value: 1, id: "opacity" });
    range.addEventListener("input", () => picture.setOpacity(Number(range.value)));
    slide.append(range);
    layers.append(slide);
  }
  if (site.footprints.length) toggle("footprints", "Footprints", outlines, "box", site.footprints.length);
  if (site.cameras) toggle("cameras", "Cameras", cameras, "dot", site.cameras.name.length);
  net.draw();

  if (shapes.length) {
    const list = element("ul");
    shapes.forEach((shape, i) => {
      const button = element("button", undefined, { type: "button" });
      const key = element("span", undefined, { className: "key" });
      key.style.background = palette[i % palette.length];
      button.append(key, element("span", site.footprints[i].name));
      button.addEventListener("click", () => { map.fitBounds(shape.getBounds(), { padding: [60, 60] }); shape.openPopup(); });
      button.addEventListener("mouseenter", () => shape.fire("mouseover"));
      button.addEventListener("mouseleave", () => shape.fire("mouseout"));
      const item = element("li");
      item.append(button);
      list.append(item);
    });
    document.getElementById("sources").append(element("h2", "Sources"), list);
  }

  // --- coordinates under the cursor
  const cursor = document.getElementById("cursor");
  function showCursor(at) {
    const [degree, coordinates, crs] = placeLines(at, site.plane);
    cursor.replaceChildren(degree);
    if (coordinates) cursor.append(element("br"), coordinates, element("small", crs));
  }
  map.on("mousemove click", (event) => showCursor(event.latlng));
  map.on("mouseout", () => cursor.replaceChildren());

  // --- colours follow the scheme while the page is open
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    net.draw();
    cameras.setStyle({ color: colour("ring"), fillColor: colour("camera") });
  });
  window.siteMap = map;
})();
