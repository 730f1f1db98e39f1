// Chart: a moving picture of an uplink's rates, with its capacity.
//
// Receive is a filled line, transmit a dashed one, capacity a dotted one with
// a label: colour alone says nothing. Whoever cannot see it gets the same in
// words from its label.
import {rate, rateParts} from "./words.js";

const HEIGHT = 156;
const FONT = "12px system-ui, sans-serif";
const HEADROOM = 1.12;  // above the highest line
const LEAST = 100e3;    // bit/s: noise of an idle line stays at the bottom

const colour = (name) => getComputedStyle(document.documentElement)
    .getPropertyValue(name).trim();

// The lines of capacity: one if both directions have the same.
function capacityLines({download, upload}) {
  if (!download && !upload) return [];
  if (download === upload) return [{bits: download, label: "capacity"}];
  return [{bits: download, label: "capacity in"},
          {bits: upload, label: "capacity out"}].filter((line) => line.bits > 0);
}

function drawCapacity(plot, uplink) {
  const {ctx, bbox} = plot;
  const ratio = devicePixelRatio;
  ctx.save();
  ctx.strokeStyle = colour("--capacity");
  ctx.fillStyle = colour("--quiet");
  ctx.font = `${11 * ratio}px system-ui, sans-serif`;
  ctx.lineWidth = 1.25 * ratio;
  ctx.setLineDash([2 * ratio, 3 * ratio]);
  ctx.textAlign = "left";
  ctx.textBaseline = "bottom";
  for (const {bits, label} of capacityLines(uplink)) {
    const y = plot.valToPos(bits, "y", true);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    const words = [`${label} ${rate(bits)}`, bbox.left + 4 * ratio,
                   y - 3 * ratio];
    ctx.save();  // a halo, since lines may pass behind
    ctx.setLineDash([]);
    ctx.lineWidth = 4 * ratio;
    ctx.lineJoin = "round";
    ctx.strokeStyle = colour("--card");
    ctx.strokeText(...words);
    ctx.fillText(...words);
    ctx.restore();
  }
  ctx.restore();
}

// Round steps in Mbit/s and the like; zero has no unit.
const yLabels = (plot, values) => values.map((bits) => {
  if (bits === 0) return "0";
  const {number, unit} = rateParts(bits);
  return `${number} ${unit.replace("bit/s", "").trim() || "bit"}`;
});

const PARTS = 3;  // of the time that is shown, with a label each

const xLabels = (plot, values) => values.map((at) => {
  const seconds = Math.round(plot.scales.x.max - at);
  if (seconds === 0) return "now";
  return seconds % 60 === 0 ? `−${seconds / 60} min` : `−${seconds} s`;
});

const xSplits = (plot, axis, least, most) => Array.from(
    {length: PARTS + 1}, (unused, i) => least + (most - least) * i / PARTS);

function axis(more) {
  return {
    stroke: () => colour("--quiet"),
    font: FONT,
    grid: {stroke: () => colour("--line"), width: 1},
    ticks: {show: false},
    ...more,
  };
}

export class Chart {
  constructor(node, history) {
    this.node = node;
    this.history = history;
    this.uplink = {download: 0, upload: 0};
    node.setAttribute("role", "img");
    this.plot = new uPlot(this.options(), history.columns, node);
    this.resized = new ResizeObserver(() => this.fit());
    this.resized.observe(node);
    this.scheme = matchMedia("(prefers-color-scheme: dark)");
    this.repaint = () => this.plot.redraw();
    this.scheme.addEventListener("change", this.repaint);
  }

  options() {
    const dashed = [5 * devicePixelRatio, 4 * devicePixelRatio];
    return {
      width: this.node.clientWidth || 300,
      height: HEIGHT,
      padding: [6, 16, 0, 0],
      cursor: {show: false},
      legend: {show: false},
      scales: {
        x: {time: false, range: () => this.history.span()},
        y: {range: () => [0, this.ceiling()]},
      },
      axes: [
        axis({splits: xSplits, values: xLabels, size: 30, gap: 8}),
        axis({values: yLabels, size: 50, gap: 8, space: 34}),
      ],
      series: [
        {},
        {stroke: () => colour("--in"), fill: () => colour("--in-fill"),
         width: 2, points: {show: false}},
        {stroke: () => colour("--out"), width: 2, dash: dashed,
         points: {show: false}},
      ],
      hooks: {draw: [(plot) => drawCapacity(plot, this.uplink)]},
    };
  }

  ceiling() {
    const {download, upload} = this.uplink;
    return HEADROOM * Math.max(LEAST, download, upload,
                               this.history.highest(1), this.history.highest(2));
  }

  fit() {
    const width = this.node.clientWidth;
    if (width > 0 && width !== this.plot.width) {
      this.plot.setSize({width, height: HEIGHT});
    }
  }

  update(uplink) {
    this.uplink = uplink;
    this.plot.setData(this.history.columns);
    const capacity = capacityLines(uplink)
        .map(({label, bits}) => `${label} ${rate(bits)}`).join(", ");
    const [from, to] = this.history.span();
    const minutes = Math.round((to - from) / 60);
    this.node.setAttribute("aria-label",
        `Rates of the last ${minutes === 1 ? "minute" : `${minutes} minutes`}: ` +
        `in ${rate(uplink.receive)} now, ${rate(this.history.highest(1))} at most; ` +
        `out ${rate(uplink.transmit)} now, ${rate(this.history.highest(2))} at most` +
        `${capacity ? `; ${capacity}` : ""}.`);
  }

  destroy() {
    this.resized.disconnect();
    this.scheme.removeEventListener("change", this.repaint);
    this.plot.destroy();
  }
}
