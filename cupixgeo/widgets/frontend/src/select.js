/* Which nodes of the clouds to draw from here: pure functions, so that they can be tested alone.
 *
 * A node has a box in scene metres, a count of points and the spacing between them; its children
 * add points between its own. From the camera, a node is worth what its spacing looks like on the
 * screen: nodes are taken from the largest spacing down, until it is fine enough or the budget of
 * points is spent. Blocks of a cloud that is all in memory have no children and come in turn. */

/* Nodes of an octree from the kernel's table: five int32 each (level, x, y, z, points). */
export function octree(table, low, size, spacing) {
  const nodes = [];
  const byKey = new Map();
  for (let i = 0; i < table.length / 5; i++) {
    const [level, x, y, z, count] = table.subarray(5 * i, 5 * i + 5);
    const edge = size.map((s) => s / 2 ** level);
    const node = {
      index: i, level, count, spacing: spacing / 2 ** level, size: edge, children: [],
      low: [low[0] + x * edge[0], low[1] + y * edge[1], low[2] + z * edge[2]],
    };
    nodes.push(node);
    byKey.set(`${level}/${x}/${y}/${z}`, node);
  }
  const tops = [];
  nodes.forEach((node, i) => {
    const [level, x, y, z] = table.subarray(5 * i, 5 * i + 4);
    const above = byKey.get(`${level - 1}/${x >> 1}/${y >> 1}/${z >> 1}`);
    if (above) above.children.push(node);
    else tops.push(node);
  });
  return { nodes, tops };
}

/* Distance from a point to the box of a node [m]; 0 inside. */
export function distanceTo(node, eye) {
  let sum = 0;
  for (let i = 0; i < 3; i++) {
    const d = Math.max(node.low[i] - eye[i], 0, eye[i] - node.low[i] - node.size[i]);
    sum += d * d;
  }
  return Math.sqrt(sum);
}

/* Whether a box is at least partly inside all planes [nx, ny, nz, d], n·p + d >= 0 being inside. */
export function inside(node, planes) {
  return planes.every(([nx, ny, nz, d]) => {
    const x = nx > 0 ? node.low[0] + node.size[0] : node.low[0];
    const y = ny > 0 ? node.low[1] + node.size[1] : node.low[1];
    const z = nz > 0 ? node.low[2] + node.size[2] : node.low[2];
    return nx * x + ny * y + nz * z + d >= 0;
  });
}

/* A heap of nodes by priority, the highest first. */
class Heap {
  constructor() { this.items = []; }
  push(node, priority) {
    const items = this.items;
    let i = items.push({ node, priority }) - 1;
    while (i > 0 && items[(i - 1) >> 1].priority < items[i].priority) {
      const up = (i - 1) >> 1;
      [items[i], items[up]] = [items[up], items[i]];
      i = up;
    }
  }
  pop() {
    const items = this.items;
    const top = items[0];
    const last = items.pop();
    if (items.length) {
      items[0] = last;
      for (let i = 0; ;) {
        let big = i;
        for (const child of [2 * i + 1, 2 * i + 2])
          if (child < items.length && items[child].priority > items[big].priority) big = child;
        if (big === i) break;
        [items[i], items[big]] = [items[big], items[i]];
        i = big;
      }
    }
    return top;
  }
  get size() { return this.items.length; }
}

/* Nodes to draw, coarsest on the screen first.
 *
 * tops: nodes without parents. view: {eye, planes, pixels (per radian), finest (pixels between
 * points that are fine enough)}. budget: most points. */
export function select(tops, view, budget) {
  const heap = new Heap();
  const offer = (node) => {
    if (!inside(node, view.planes)) return;
    if (node.turn !== undefined) { heap.push(node, 1e9 - node.turn); return; }
    const away = Math.max(distanceTo(node, view.eye), 1e-3);
    heap.push(node, (node.spacing / away) * view.pixels);
  };
  tops.forEach(offer);
  const chosen = [];
  let points = 0;
  while (heap.size) {
    const { node, priority } = heap.pop();
    if (points + node.count > budget) break;
    points += node.count;
    chosen.push(node);
    if (priority > view.finest) node.children.forEach(offer);
  }
  return { chosen, points };
}
