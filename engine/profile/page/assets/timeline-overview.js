import { gutter, Paint, prepare, rightPad } from "./timeline-drawing.js";
import { TimelineModel } from "./timeline-model.js";

/** @typedef {import("./state.js").Store} Store */

/** The busy shares as drawn last, with what they depend on: of many events they take long. */
let drawn = { key: "", canvas: document.createElement("canvas") };

/** The whole span in small, and the part that is shown. @param {CanvasRenderingContext2D} context @param {TimelineModel} model @param {Store} store @param {number} width @param {number} height */
export function drawOverview(context, model, store, width, height) {
  const paint = new Paint();
  const columns = Math.max(1, width - gutter - rightPad);
  const ratio = window.devicePixelRatio || 1;
  const key = [store.choice.colour, columns, height, ratio, paint.of("var(--track)")].join(" ");
  if (drawn.key !== key) {
    const canvas = document.createElement("canvas");
    drawBusy(prepare(canvas, columns, height), model, store, columns, height, paint);
    drawn = { key, canvas };
  }
  context.drawImage(drawn.canvas, gutter, 0, columns, height);
  context.fillStyle = paint.of("var(--muted)");
  context.textAlign = "right";
  context.fillText("overview", gutter - 8, height / 2);
  const x = (/** @type {number} */ ms) => gutter + (ms / model.fullEnd) * columns;
  context.fillStyle = paint.of("var(--veil)");
  context.fillRect(gutter, 0, x(model.start) - gutter, height);
  context.fillRect(x(model.end), 0, gutter + columns - x(model.end), height);
  context.strokeStyle = paint.of("var(--ink)");
  context.strokeRect(x(model.start) + 0.5, 0.5, Math.max(2, x(model.end) - x(model.start) - 1), height - 1);
}

/** @param {CanvasRenderingContext2D} context @param {TimelineModel} model @param {Store} store @param {number} columns @param {number} height @param {Paint} paint */
function drawBusy(context, model, store, columns, height, paint) {
  const colours = store.colours.legend(store.choice.colour).map((entry) => paint.of(entry.colour));
  const category = store.profile.kernels.map((kernel) => store.colours.category(kernel, store.choice.colour));
  const table = TimelineModel.coverage(
    model.events,
    0,
    model.fullEnd,
    Math.floor(columns),
    colours.length,
    ({ kernel }) => category[kernel] ?? 0,
  );
  context.fillStyle = paint.of("var(--track)");
  context.fillRect(0, 0, columns, height);
  for (let column = 0; column < columns; column++) {
    let y = height;
    colours.forEach((colour, at) => {
      const part = Math.min(1, table[column * colours.length + at] ?? 0) * height;
      context.fillStyle = colour;
      context.fillRect(column, Math.max(0, y - part), 1, Math.min(part, y));
      y -= part;
    });
  }
}
