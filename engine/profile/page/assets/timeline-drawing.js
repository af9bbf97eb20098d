import { bytes, time } from "./format.js";
import { TimelineModel } from "./timeline-model.js";

/** @typedef {import("./state.js").Store} Store */
/** @typedef {import("./state.js").Profile["events"][number] & { index: number }} Placed */

export const gutter = 64;
export const rightPad = 12;
/** Top and height of each track. */
export const tracks = {
  ruler: { top: 0, height: 24 },
  host: { top: 30, height: 34 },
  gpu: { top: 78, height: 64 },
  memory: { top: 156, height: 72 },
};
export const timelineHeight = 236;

/** Colours of the page as a canvas wants them. */
export class Paint {
  #style = getComputedStyle(document.documentElement);

  /** @param {string} value `var(--name)` or a plain colour */
  of(value) {
    const name = /^var\((--[\w-]+)\)$/.exec(value)?.[1];
    return name ? this.#style.getPropertyValue(name).trim() : value;
  }
}

/** Sharp on dense screens. @param {HTMLCanvasElement} canvas @param {number} width @param {number} height */
export function prepare(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  context.font = "11px system-ui, sans-serif";
  context.textBaseline = "middle";
  return context;
}

/** Where times lie. */
export class Ruler {
  /** @param {TimelineModel} model @param {number} width */
  constructor(model, width) {
    this.model = model;
    this.pixels = Math.max(1, width - gutter - rightPad);
    this.right = gutter + this.pixels;
  }

  /** @param {number} ms */
  x(ms) {
    return gutter + ((ms - this.model.start) / (this.model.end - this.model.start)) * this.pixels;
  }

  /** @param {number} x */
  ms(x) {
    return this.model.start + ((x - gutter) / this.pixels) * (this.model.end - this.model.start);
  }
}

/** @param {CanvasRenderingContext2D} context @param {Ruler} ruler @param {Store} store @param {Placed | undefined} pointed */
export function drawTimeline(context, ruler, store, pointed) {
  const paint = new Paint();
  drawFrame(context, ruler, paint);
  context.save();
  context.beginPath();
  context.rect(gutter, 0, ruler.pixels, timelineHeight);
  context.clip();
  const visible = ruler.model.touching(ruler.model.start, ruler.model.end);
  drawHost(context, ruler, paint);
  drawKernels(context, ruler, store, visible, paint);
  drawMemory(context, ruler, paint);
  if (pointed) drawLink(context, ruler, pointed, paint);
  context.restore();
}

/** @param {CanvasRenderingContext2D} context @param {Ruler} ruler @param {Paint} paint */
function drawFrame(context, ruler, paint) {
  const { start, end, peakBytes } = ruler.model;
  context.fillStyle = paint.of("var(--muted)");
  context.textAlign = "right";
  for (const [name, track] of [
    ["host", tracks.host],
    ["GPU", tracks.gpu],
  ]) {
    const { top, height } = /** @type {{ top: number, height: number }} */ (track);
    context.fillText(String(name), gutter - 8, top + height / 2);
  }
  const { top, height } = tracks.memory;
  context.fillText("memory", gutter - 8, top + height / 2);
  context.fillText(bytes(peakBytes), gutter - 8, top + 5);
  context.fillText("0", gutter - 8, top + height - 4);
  for (const track of [tracks.host, tracks.gpu, tracks.memory]) {
    context.fillStyle = paint.of("var(--track)");
    context.fillRect(gutter, track.top, ruler.pixels, track.height);
  }
  const step = tickStep(end - start, ruler.pixels / 110);
  context.textAlign = "center";
  for (let tick = Math.ceil(start / step - 1e-9); tick * step <= end * (1 + 1e-12); tick++) {
    const x = Math.round(ruler.x(tick * step)) + 0.5;
    context.fillStyle = paint.of("var(--line)");
    context.fillRect(x - 0.5, tracks.ruler.height - 4, 1, timelineHeight - tracks.ruler.height);
    const label = tickLabel(tick * step, step);
    const half = context.measureText(label).width / 2;
    context.fillStyle = paint.of("var(--muted)");
    context.fillText(label, Math.min(ruler.right + rightPad - half, Math.max(gutter - 20 + half, x)), 10);
  }
}

/** A round step for at most so many ticks. @param {number} range @param {number} most */
function tickStep(range, most) {
  const raw = range / Math.max(1, most);
  const power = 10 ** Math.floor(Math.log10(raw));
  return /** @type {number} */ ([1, 2, 5, 10].find((factor) => factor * power >= raw * (1 - 1e-9))) * power;
}

/** With as many decimals as the step needs. @param {number} ms @param {number} step */
function tickLabel(ms, step) {
  if (ms === 0) return "0";
  const [unit, factor] = step >= 1000 ? ["s", 1e-3] : step >= 0.1 ? ["ms", 1] : ["µs", 1e3];
  const decimals = Math.max(0, -Math.floor(Math.log10(step * Number(factor)) + 1e-9));
  return `${(ms * Number(factor)).toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals })} ${unit}`;
}

/** Submits as blocks of alternating tone with their names, recordings as strokes beneath. @param {CanvasRenderingContext2D} context @param {Ruler} ruler @param {Paint} paint */
function drawHost(context, ruler, paint) {
  const { events, recorded, start, end, submits } = ruler.model;
  const { top, height } = tracks.host;
  const half = height / 2;
  context.fillStyle = paint.of("var(--muted)");
  let last = -1;
  for (let place = ruler.model.recordedFrom(start); place < recorded.length; place++) {
    const event = events[/** @type {number} */ (recorded[place])];
    if (!event || event.recordedMs > end) break;
    const x = Math.round(ruler.x(event.recordedMs));
    if (x === last) continue;
    context.fillRect(x, top + half + 2, 1, half - 3);
    last = x;
  }
  context.textAlign = "left";
  last = -1;
  for (let index = ruler.model.submitFrom(start); index < submits.length; index++) {
    const { submit, from, to } = /** @type {typeof submits[number]} */ (submits[index]);
    if (from > end) break;
    const left = ruler.x(from);
    const width = Math.max(1, ruler.x(to) - left);
    // Of many in one pixel one is seen.
    if (left + width < last + 1) continue;
    last = left + width;
    context.fillStyle = paint.of(index % 2 === 0 ? "var(--submit)" : "var(--submit-next)");
    context.fillRect(left, top + 2, width, half - 2);
    label(
      context,
      `submit ${submit}`,
      Math.max(left, gutter),
      top + half / 2 + 1,
      left + width,
      paint.of("var(--ink)"),
      true,
    );
  }
}

/** Text between two places, cut where it is too long; none where little of it would be left. @param {CanvasRenderingContext2D} context @param {string} text @param {number} left @param {number} y @param {number} right @param {string} colour @param {boolean} [whole] never cut */
function label(context, text, left, y, right, colour, whole = false) {
  const room = right - left - 8;
  if (room < 16) return false;
  const width = context.measureText(text).width;
  const kept = width <= room ? text.length : Math.floor((text.length * room) / width) - 1;
  if (kept < (whole ? text.length : Math.min(4, text.length))) return false;
  context.fillStyle = colour;
  context.fillText(kept === text.length ? text : `${text.slice(0, kept)}…`, left + 4, y);
  return true;
}

/** Kernels wider than two pixels as blocks; of the others, the busy share of each pixel as height. @param {CanvasRenderingContext2D} context @param {Ruler} ruler @param {Store} store @param {Iterable<Placed>} visible @param {Paint} paint */
function drawKernels(context, ruler, store, visible, paint) {
  const { colour, selected } = store.choice;
  const { kernels } = store.profile;
  const legend = store.colours.legend(colour);
  const colours = legend.map((entry) => paint.of(entry.colour));
  const { top, height } = tracks.gpu;
  const perMs = ruler.pixels / (ruler.model.end - ruler.model.start);
  const bright = kernels.map((_, kernel) => (selected >= 0 ? kernel === selected : store.shows(kernel)));
  const category = kernels.map((kernel) => store.colours.category(kernel, colour));
  /** @type {Placed[]} */
  const wide = [];
  const columns = Math.floor(ruler.pixels);
  const table = TimelineModel.coverage(
    visible,
    ruler.model.start,
    ruler.model.end,
    columns,
    2 * colours.length,
    (event) => {
      if (event.durationMs * perMs >= 2) {
        wide.push(/** @type {Placed} */ (event));
        return -1;
      }
      return 2 * (category[event.kernel] ?? 0) + (bright[event.kernel] ? 0 : 1);
    },
  );
  for (let column = 0; column < columns; column++) {
    let y = top + height;
    for (let at = 0; at < 2 * colours.length; at++) {
      const part = Math.min(1, table[column * 2 * colours.length + at] ?? 0) * height;
      if (part <= 0) continue;
      context.globalAlpha = at % 2 === 0 ? 1 : dimmed;
      context.fillStyle = colours[at >> 1] ?? "gray";
      context.fillRect(gutter + column, Math.max(top, y - part), 1, Math.min(part, y - top));
      y -= part;
    }
  }
  context.textAlign = "left";
  for (const event of wide) {
    const left = Math.max(gutter - 1, ruler.x(event.startMs));
    const right = Math.min(ruler.right + 1, ruler.x(event.startMs + event.durationMs));
    context.globalAlpha = bright[event.kernel] ? 1 : dimmed;
    context.fillStyle = colours[category[event.kernel] ?? 0] ?? "gray";
    context.fillRect(left, top, right - left - (right - left > 4 ? 1 : 0), height);
    const kernel = kernels[event.kernel];
    if (!kernel) continue;
    const named = label(context, kernel.op, left, top + 16, right, paint.of("var(--on-colour)"));
    if (named && kernel.layer) label(context, kernel.layer, left, top + 32, right, paint.of("var(--on-colour)"));
    if (named) label(context, time(event.durationMs), left, top + 48, right, paint.of("var(--on-colour)"), true);
  }
  context.globalAlpha = 1;
}

const dimmed = 0.22;

/** @param {CanvasRenderingContext2D} context @param {Ruler} ruler @param {Paint} paint */
function drawMemory(context, ruler, paint) {
  const { memory, peakBytes, start, end } = ruler.model;
  if (memory.length === 0) return;
  const { top, height } = tracks.memory;
  const y = (/** @type {number} */ bytes) => top + height - (bytes / peakBytes) * (height - 3);
  context.beginPath();
  context.moveTo(ruler.x(start), y(ruler.model.bytesAt(start)));
  for (const { ms, bytes } of memory) {
    if (ms < start) continue;
    if (ms > end) break;
    // What is in use stays so until the next change.
    context.lineTo(ruler.x(ms), y(ruler.model.bytesAt(ms - 1e-9)));
    context.lineTo(ruler.x(ms), y(bytes));
  }
  context.lineTo(ruler.x(end), y(ruler.model.bytesAt(end)));
  context.strokeStyle = paint.of("var(--accent)");
  context.lineWidth = 1.5;
  context.stroke();
  context.lineTo(ruler.x(end), top + height);
  context.lineTo(ruler.x(start), top + height);
  context.globalAlpha = 0.18;
  context.fillStyle = paint.of("var(--accent)");
  context.fill();
  context.globalAlpha = 1;
}

/** From the recording of a dispatch to its kernel, and the kernel's outline. @param {CanvasRenderingContext2D} context @param {Ruler} ruler @param {Placed} event @param {Paint} paint */
function drawLink(context, ruler, { recordedMs, startMs, durationMs }, paint) {
  const [from, to] = [ruler.x(recordedMs), ruler.x(startMs)];
  const [low, high] = [tracks.host.top + tracks.host.height, tracks.gpu.top];
  context.strokeStyle = paint.of("var(--ink)");
  context.lineWidth = 1.5;
  // Recorded far outside the shown range, an arrow would be a line across everything.
  if (from >= gutter) {
    context.beginPath();
    context.moveTo(from, tracks.host.top + tracks.host.height / 2);
    context.lineTo(from, low);
    context.bezierCurveTo(from, (low + high) / 2, to, (low + high) / 2, to, high);
    context.stroke();
  }
  context.strokeRect(to, tracks.gpu.top, Math.max(1, ruler.x(startMs + durationMs) - to), tracks.gpu.height);
}
