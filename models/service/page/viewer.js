// A picture in a frame that can be zoomed and moved; several frames may move together.
import { element } from "./dom.js";
import { addressOf } from "./state.js";

/** @typedef {{ scale: number, x: number, y: number, listeners: (() => void)[] }} View place of the picture's corner in frames, zoom */

/** @returns {View} */
export function newView() {
  return { scale: 1, x: 0, y: 0, listeners: [] };
}

/** @param {View} view @param {number} factor @param {number} [x] point that stays, in frames @param {number} [y] */
export function zoom(view, factor, x = 0.5, y = 0.5) {
  const scale = Math.min(16, Math.max(1, view.scale * factor));
  const by = scale / view.scale;
  view.scale = scale;
  place(view, x - by * (x - view.x), y - by * (y - view.y));
}

/** Moves without letting the picture leave the frame. @param {View} view @param {number} x @param {number} y */
function place(view, x, y) {
  const clamp = (/** @type {number} */ value) => Math.min(0, Math.max(1 - view.scale, value));
  view.x = clamp(x);
  view.y = clamp(y);
  for (const listener of view.listeners) listener();
}

/** A frame with a picture, and a canvas exactly over it. @param {import("./state.js").Picture} picture @param {View} view */
export function viewer(picture, view) {
  const canvas = element("canvas", { hidden: true });
  const image = element("img", { src: addressOf(picture), alt: picture.name, draggable: "false" });
  const stage = element("div", { class: "stage" }, image, canvas);
  const label = `${picture.name}: plus and minus zoom, arrows move, 0 shows all`;
  const frame = element("div", { class: "viewer", tabindex: "0", role: "group", "aria-label": label }, stage);
  image.addEventListener("error", () => {
    stage.replaceChildren(
      element("p", { class: "empty" }, "The browser cannot show a picture of this kind; the service can read it."),
    );
  });
  view.listeners.push(() => {
    stage.style.transform = `translate(${100 * view.x}%, ${100 * view.y}%) scale(${view.scale})`;
    frame.classList.toggle("zoomed", view.scale > 1);
  });
  listen(frame, view);
  return { frame, canvas, image };
}

/** @param {HTMLElement} frame @param {View} view */
function listen(frame, view) {
  const within = (/** @type {MouseEvent} */ { clientX, clientY }) => {
    const { left, top, width, height } = frame.getBoundingClientRect();
    return /** @type {[number, number]} */ ([(clientX - left) / width, (clientY - top) / height]);
  };
  frame.addEventListener(
    "wheel",
    (event) => {
      event.preventDefault();
      zoom(view, Math.exp(-event.deltaY / 400), ...within(event));
    },
    { passive: false },
  );
  frame.addEventListener("dblclick", (event) => zoom(view, view.scale > 1 ? 1 / 16 : 4, ...within(event)));
  frame.addEventListener("pointerdown", (event) => {
    if (event.button === 0 && view.scale > 1) frame.setPointerCapture(event.pointerId);
  });
  frame.addEventListener("pointermove", (event) => {
    if (!frame.hasPointerCapture(event.pointerId)) return;
    place(view, view.x + event.movementX / frame.clientWidth, view.y + event.movementY / frame.clientHeight);
  });
  frame.addEventListener("keydown", (event) => {
    const step = 0.1;
    /** @type {Record<string, () => void>} */
    const keys = {
      "+": () => zoom(view, 1.5),
      "=": () => zoom(view, 1.5),
      "-": () => zoom(view, 1 / 1.5),
      0: () => zoom(view, 1 / 16),
    };
    const moves = {
      ArrowLeft: () => place(view, view.x + step, view.y),
      ArrowRight: () => place(view, view.x - step, view.y),
      ArrowUp: () => place(view, view.x, view.y + step),
      ArrowDown: () => place(view, view.x, view.y - step),
    };
    const act = { ...keys, ...(view.scale > 1 && moves) }[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    act();
    event.preventDefault();
    event.stopPropagation();
  });
}
