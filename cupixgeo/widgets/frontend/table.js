// A table of any length: only the rows in sight exist in the page, the kernel sends those asked for.
// Sorting and looking for words happen in the kernel, on all rows. No library, no address.

const ROW = 28;       // [px] height of a row, the same in table.css
const MARGIN = 40;    // rows asked for before and behind those in sight
const MOST = 15e6;    // [px] beyond which browsers draw nothing

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function render({ model, el }) {
  const id = `cx-table-${Math.random().toString(36).slice(2)}`;
  const words = element("input", {
    type: "search", class: "cx-table-words", placeholder: "find in all columns",
    "aria-label": `Find rows of the table of ${model.get("label")}`, "aria-controls": id,
  });
  const count = element("span", { class: "cx-table-count", role: "status" });
  const none = element("button", { type: "button", class: "cx-table-none" }, "Select none");
  const bar = element("div", { class: "cx-table-bar" }, words, count, none);
  const head = element("tr");
  const body = element("tbody");
  const table = element("table", {
    id, role: "grid", "aria-label": model.get("label"), "aria-multiselectable": "true",
  }, element("thead", {}, head), body);
  const room = element("div", { class: "cx-table-room", tabindex: "-1" }, table);
  room.style.height = `${ROW * (model.get("rows") + 1) + 14}px`;
  el.classList.add("cx-table");
  el.append(bar, room);

  let first = 0, last = -1;      // rows that exist in the page
  let focus = -1, anchor = -1;   // row with the keyboard, row a range starts at
  let asked = "", timer = 0;

  const total = () => model.get("total");
  const picked = () => new Set(model.get("picked"));
  const shrink = () => Math.min(1, MOST / Math.max(1, total() * ROW));

  function rowAt(index) {
    const { start, rows } = model.get("window");
    return rows[index - start];
  }

  function drawHead() {
    const { column, descending } = model.get("order");
    const all = element("input", { type: "checkbox", "aria-label": "Select all rows that are found" });
    all.addEventListener("change", () => model.send({ all: all.checked }));
    head.replaceChildren(element("th", { class: "cx-table-pick", scope: "col" }, all));
    for (const { name, label, help, align } of model.get("columns")) {
      const isSorted = name === column;
      const mark = element("span", { "aria-hidden": "true" }, isSorted ? (descending ? " ▼" : " ▲") : "");
      const button = element("button", { type: "button", title: help || label }, label, mark);
      button.addEventListener("click", () => {
        model.set("order", { column: name, descending: isSorted && !descending });
        model.save_changes();
      });
      const sorted = isSorted ? (descending ? "descending" : "ascending") : "none";
      head.append(element("th", { scope: "col", class: `cx-${align}`, "aria-sort": sorted }, button));
    }
    drawAll();
  }

  function drawAll() {
    const all = head.querySelector("input");
    const number = model.get("picked").length;
    all.checked = number > 0 && number >= total();
    all.indeterminate = number > 0 && !all.checked;
    const found = total() === model.get("length") ? "" : ` of ${model.get("length").toLocaleString("en")}`;
    count.textContent = `${total().toLocaleString("en")}${found} rows, ${number.toLocaleString("en")} selected`;
    none.disabled = number === 0;
    table.setAttribute("aria-rowcount", total() + 1);
  }

  function drawRow(index, chosen) {
    const row = rowAt(index);
    const line = element("tr", { "aria-rowindex": index + 2, "data-index": index, tabindex: index === focus ? "0" : "-1" });
    if (!row) {
      line.append(element("td", { colspan: model.get("columns").length + 1, class: "cx-table-wait" }, "…"));
      return line;
    }
    const [key, ...cells] = row;
    const box = element("input", { type: "checkbox", tabindex: "-1", "aria-label": `Select ${cells.slice(0, 2).join(" ")}` });
    box.checked = chosen.has(key);
    line.setAttribute("aria-selected", box.checked);
    line.append(element("td", { class: "cx-table-pick" }, box));
    model.get("columns").forEach(({ align, chip }, place) => {
      const text = cells[place];
      const inner = chip && text ? element("span", { class: `cx-chip cx-chip-${text}` }, text) : text;
      line.append(element("td", { class: `cx-${align}`, title: text }, inner));
    });
    return line;
  }

  function draw() {
    const seen = Math.ceil(room.clientHeight / ROW) || model.get("rows");
    const top = Math.floor(room.scrollTop / (ROW * shrink()));
    first = Math.max(0, Math.min(top, total() - seen) - 5);
    last = Math.min(total(), first + seen + 10);
    const chosen = picked();
    const spacer = (height) => {
      const cell = element("td", { colspan: model.get("columns").length + 1 });
      const line = element("tr", { class: "cx-table-space", "aria-hidden": "true" }, cell);
      cell.style.height = `${Math.max(0, height)}px`;
      return line;
    };
    if (focus < first || focus >= last) focus = -1;
    const hadFocus = body.contains(document.activeElement);
    if (focus < 0) focus = Math.max(first, Math.min(top, last - 1));
    const lines = [spacer(first * ROW * shrink())];
    for (let index = first; index < last; index++) lines.push(drawRow(index, chosen));
    if (total() === 0) {
      const nothing = element("td", { colspan: model.get("columns").length + 1, class: "cx-table-wait" });
      nothing.textContent = model.get("length") ? "No row holds these words." : model.get("empty");
      lines.push(element("tr", {}, nothing));
    }
    lines.push(spacer((total() - last) * ROW * shrink()));
    body.replaceChildren(...lines);
    if (hadFocus) body.querySelector("[tabindex='0']")?.focus({ preventScroll: true });
    drawAll();
    ask();
  }

  function ask() {
    const { start, rows } = model.get("window");
    if (first >= start && last <= start + rows.length) return;
    const range = [Math.max(0, first - MARGIN), Math.min(total(), last + MARGIN)];
    if (String(range) === asked) return;
    asked = String(range);
    model.send({ range });
  }

  function pick(index, toggle, range) {
    const row = rowAt(index);
    if (!row) return;
    if (range && anchor >= 0) {
      model.send({ between: [Math.min(anchor, index), Math.max(anchor, index) + 1] });
      return;
    }
    anchor = index;
    const chosen = picked();
    if (chosen.has(row[0])) chosen.delete(row[0]); else chosen.add(row[0]);
    model.set("picked", [...chosen]);
    model.save_changes();
  }

  function move(index) {
    focus = Math.max(0, Math.min(total() - 1, index));
    const place = focus * ROW * shrink();
    if (place < room.scrollTop) room.scrollTop = place;
    if (place + 2 * ROW > room.scrollTop + room.clientHeight) room.scrollTop = place + 2 * ROW - room.clientHeight;
    const wanted = focus;
    draw();
    focus = wanted;
    body.querySelectorAll("tr").forEach((line) => line.dataset.index && line.setAttribute("tabindex", +line.dataset.index === focus ? "0" : "-1"));
    body.querySelector(`[data-index="${focus}"]`)?.focus({ preventScroll: true });
  }

  body.addEventListener("click", (event) => {
    const line = event.target.closest("tr[data-index]");
    if (!line) return;
    focus = +line.dataset.index;
    pick(focus, true, event.shiftKey);
  });
  body.addEventListener("keydown", (event) => {
    const line = event.target.closest("tr[data-index]");
    if (!line) return;
    const at = +line.dataset.index;
    const page = Math.floor(room.clientHeight / ROW) - 1;
    const steps = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: total() - 1 };
    if (event.key in steps) move(steps[event.key]);
    else if (event.key === " " || event.key === "Enter") pick(at, true, event.shiftKey);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  // JupyterLab takes single letters for commands of its own unless they stay here
  for (const name of ["keydown", "keypress"]) words.addEventListener(name, (event) => event.stopPropagation());
  words.value = model.get("words");
  words.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => { model.set("words", words.value); model.save_changes(); }, 150);
  });
  none.addEventListener("click", () => { model.set("picked", []); model.save_changes(); });
  let frame = 0;
  room.addEventListener("scroll", () => {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(draw);
  });

  const redraw = () => { asked = ""; draw(); };
  const restart = () => { room.scrollTop = 0; focus = -1; anchor = -1; redraw(); };
  const sorted = () => { drawHead(); restart(); };
  const listeners = {
    "change:window": redraw, "change:picked": draw, "change:total": redraw, "change:words": () => {
      if (words.value !== model.get("words")) words.value = model.get("words");
      restart();
    },
    "change:order": sorted, "change:columns": sorted, "change:length": drawAll,
  };
  for (const [name, listener] of Object.entries(listeners)) model.on(name, listener);
  drawHead();
  draw();
  return () => { for (const [name, listener] of Object.entries(listeners)) model.off(name, listener); };
}

export default { render };
