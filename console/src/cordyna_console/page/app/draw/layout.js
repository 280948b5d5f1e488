// Layered layout: a column a level, a lane a server. Pure: it runs in a worker, and in `node --test`.
//
// A cell is one level of one lane. Its tasks are ordered by the mean place of what they need (two
// sweeps down, one up), and wrap into further columns where there are more than `rows` of them, so
// that a fan-out of thousands is a block and not a line a mile long.

export const BLOCK_W = 184;
export const BLOCK_H = 34;
const GAP_X = 48;
const SUB_X = 18;
const GAP_Y = 12;
const LANE_GAP = 34;
const ASPECT = 1.9;

export function layout({ size, level, server, servers, upstream }) {
  const lanes = orderedLanes(size, level, server, servers);
  const laneOf = new Int32Array(servers.length);
  lanes.forEach((at, lane) => { laneOf[at] = lane; });
  const levels = size === 0 ? 0 : level.reduce((most, at) => Math.max(most, at), 0) + 1;
  const cells = new Map();
  for (let index = 0; index < size; index++) {
    const key = level[index] * lanes.length + laneOf[server[index]];
    let cell = cells.get(key);
    if (cell === undefined) {
      cell = { level: level[index], lane: laneOf[server[index]], members: [] };
      cells.set(key, cell);
    }
    cell.members.push(index);
  }
  const inOrder = [...cells.values()].sort((a, b) => a.level - b.level || a.lane - b.lane);
  order(inOrder, size, upstream);
  return place(inOrder, size, levels, lanes);
}

function orderedLanes(size, level, server, servers) {
  const sum = new Float64Array(servers.length);
  const count = new Float64Array(servers.length);
  for (let index = 0; index < size; index++) {
    sum[server[index]] += level[index];
    count[server[index]] += 1;
  }
  return servers.map((_, at) => at).sort((a, b) => sum[a] / count[a] - sum[b] / count[b] || a - b);
}

function order(cells, size, upstream) {
  const downstream = Array.from({ length: size }, () => []);
  upstream.forEach((needs, index) => needs.forEach((up) => downstream[up].push(index)));
  const position = new Float64Array(size);
  const note = (cell) => cell.members.forEach((index, at) => { position[index] = cell.lane * 1e6 + at; });
  cells.forEach(note);
  const sweep = (sequence, edges) => {
    for (const cell of sequence) {
      const mean = new Map(cell.members.map((index) => {
        const beside = edges[index];
        return [index, beside.length === 0 ? position[index] : beside.reduce((sum, at) => sum + position[at], 0) / beside.length];
      }));
      cell.members.sort((a, b) => mean.get(a) - mean.get(b) || a - b);
      note(cell);
    }
  };
  sweep(cells, upstream);
  sweep([...cells].reverse(), downstream);
  sweep(cells, upstream);
}

function place(cells, size, levels, lanes) {
  const most = cells.reduce((found, cell) => Math.max(found, cell.members.length), 1);
  let rows = Math.min(most, 8);
  while (rows < most && isTooWide(cells, levels, lanes.length, rows)) rows = Math.min(most, Math.ceil(rows * 1.4));
  const columns = new Int32Array(levels);
  const laneRows = new Int32Array(lanes.length);
  for (const cell of cells) {
    columns[cell.level] = Math.max(columns[cell.level], Math.ceil(cell.members.length / rows));
    laneRows[cell.lane] = Math.max(laneRows[cell.lane], Math.min(rows, cell.members.length));
  }
  const left = [];
  let width = 0;
  for (let at = 0; at < levels; at++) {
    left.push(width);
    width += columns[at] * (BLOCK_W + SUB_X) - SUB_X + GAP_X;
  }
  const laneBoxes = [];
  let height = 0;
  lanes.forEach((server, lane) => {
    const high = laneRows[lane] * (BLOCK_H + GAP_Y) - GAP_Y;
    laneBoxes.push({ server, y: height, h: high });
    height += high + LANE_GAP;
  });
  const x = new Float32Array(size);
  const y = new Float32Array(size);
  for (const cell of cells) {
    const high = Math.min(rows, cell.members.length);
    const top = laneBoxes[cell.lane].y + (laneBoxes[cell.lane].h - (high * (BLOCK_H + GAP_Y) - GAP_Y)) / 2;
    cell.members.forEach((index, at) => {
      x[index] = left[cell.level] + Math.floor(at / rows) * (BLOCK_W + SUB_X);
      y[index] = top + (at % rows) * (BLOCK_H + GAP_Y);
    });
    cell.x = left[cell.level];
    cell.y = top;
    cell.w = Math.ceil(cell.members.length / rows) * (BLOCK_W + SUB_X) - SUB_X;
    cell.h = high * (BLOCK_H + GAP_Y) - GAP_Y;
  }
  return { x, y, cells, lanes: laneBoxes, width: Math.max(width - GAP_X, BLOCK_W), height: Math.max(height - LANE_GAP, BLOCK_H) };
}

function isTooWide(cells, levels, lanes, rows) {
  const columns = new Int32Array(levels);
  const laneRows = new Int32Array(lanes);
  for (const cell of cells) {
    columns[cell.level] = Math.max(columns[cell.level], Math.ceil(cell.members.length / rows));
    laneRows[cell.lane] = Math.max(laneRows[cell.lane], Math.min(rows, cell.members.length));
  }
  const width = columns.reduce((sum, count) => sum + count, 0) * (BLOCK_W + SUB_X) + levels * GAP_X;
  const height = laneRows.reduce((sum, count) => sum + count, 0) * (BLOCK_H + GAP_Y) + lanes * LANE_GAP;
  return width > ASPECT * height;
}
