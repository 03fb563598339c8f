"use strict";
// What the site map's page and the notebook's map share. Leaflet is handed in; nothing is global but these names.

const degrees = (value, places, positive, negative) =>
  Math.abs(value).toFixed(places) + "° " + (value < 0 ? negative : positive);

// Largest of 1, 2 or 5 times a power of ten that is not above a span.
function roundStep(span) {
  const size = Math.pow(10, Math.floor(Math.log10(span)));
  return [5, 2, 1].map((m) => m * size).find((step) => step <= span * (1 + 1e-9));
}

// Coordinates of a place in the CRS a polynomial was fitted for (sitemap.plane_fit); null outside its domain.
function planeCoordinates(plane, at) {
  const u = (at.lng - plane.centre[0]) / plane.half[0], v = (at.lat - plane.centre[1]) / plane.half[1];
  if (Math.abs(u) > 1 || Math.abs(v) > 1) return null;
  const sum = (terms) => terms.reduce((total, c, k) => total + c * u ** plane.powers[k][0] * v ** plane.powers[k][1], 0);
  return [sum(plane.x), sum(plane.y)];
}

// Lines of text for a place: longitude and latitude, and where there is a plane its coordinates, CRS and error.
function placeLines(at, plane) {
  const lines = [degrees(at.lng, 6, "E", "W") + ", " + degrees(at.lat, 6, "N", "S")];
  const xy = plane && planeCoordinates(plane, at);
  if (xy) {
    const error = plane.error_m < 0.001 ? "under 1 mm" : Math.ceil(plane.error_m * 1000) + " mm";
    lines.push(xy.map((value) => value.toFixed(plane.decimals)).join(", "), plane.label + ", approximated to " + error);
  }
  return lines;
}

// Meridians and parallels at a round step, drawn for what is in view. `lines` and `labels` name panes, `colour()` gives
// the lines' colour, `side` where latitudes are written, `clear()` the pixels at the left, top, right and bottom edge that labels keep away from.
function graticule(L, map, { lines, labels, colour, side, clear: room }) {
  const group = L.layerGroup();
  const renderer = L.canvas({ pane: lines });
  const line = (points) => L.polyline(points, { pane: lines, renderer, color: colour(), weight: 1, interactive: false });
  const label = (x, y, text, anchor, end = "") => {
    const span = document.createElement("span");
    span.textContent = text;
    const icon = L.divIcon({ className: "degree" + end, html: span.outerHTML, iconSize: [90, 14], iconAnchor: anchor });
    return L.marker(map.containerPointToLatLng([x, y]), { pane: labels, interactive: false, keyboard: false, icon });
  };
  group.draw = () => {
    group.clearLayers();
    const pixels = map.getSize();
    if (!pixels.x || !pixels.y) return;
    const view = map.getBounds().pad(0.1), clear = room();
    const step = roundStep((view.getEast() - view.getWest()) / Math.max(3, pixels.x / 170));
    const places = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
    const south = Math.max(view.getSouth(), -85), north = Math.min(view.getNorth(), 85);
    for (let k = Math.ceil(view.getWest() / step); k * step < view.getEast(); k++) {
      group.addLayer(line([[south, k * step], [north, k * step]]));
      const x = map.latLngToContainerPoint([map.getCenter().lat, k * step]).x;
      if (x > clear.left && x < pixels.x - clear.right)
        group.addLayer(label(x, pixels.y - clear.base, degrees(k * step, places, "E", "W"), [-4, 14]));
    }
    for (let k = Math.ceil(south / step); k * step < north; k++) {
      group.addLayer(line([[k * step, view.getWest()], [k * step, view.getEast()]]));
      const y = map.latLngToContainerPoint([k * step, map.getCenter().lng]).y;
      if (y > clear.top && y < pixels.y - clear.bottom)
        group.addLayer(side === "left"
          ? label(4, y, degrees(k * step, places, "N", "S"), [0, 16])
          : label(pixels.x - 6, y, degrees(k * step, places, "N", "S"), [90, 16], " right"));
    }
  };
  map.on("moveend resize", group.draw);
  return group;
}
