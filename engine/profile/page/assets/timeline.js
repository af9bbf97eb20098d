import { byId, choiceButtons, drawOnResize, element, showTip } from "./dom.js";
import { bytes, grouped, time } from "./format.js";
import { kernelLines } from "./state.js";
import { drawTimeline, gutter, prepare, Ruler, timelineHeight, tracks } from "./timeline-drawing.js";
import { TimelineModel } from "./timeline-model.js";
import { drawOverview } from "./timeline-overview.js";

/** @typedef {import("./state.js").Store} Store */
/** @typedef {import("./timeline-drawing.js").Placed} Placed */

const overviewHeight = 30;

/** Host, GPU and memory over time. @param {Store} store */
export function timeline(store) {
  new Timeline(store);
}

class Timeline {
  #canvas = element("canvas", {
    id: "timeline-canvas",
    tabindex: 0,
    role: "application",
    "aria-label":
      "Timeline. Arrow keys move, plus and minus zoom, 0 shows all, comma and full stop go from dispatch to dispatch",
  });
  #overview = element("canvas", { id: "overview-canvas", "aria-hidden": "true" });
  #range = element("span", { class: "range", "aria-live": "polite" });
  #width = 0;
  /** @type {Placed | undefined} */
  #pointed;
  #waiting = false;

  /** @param {Store} store */
  constructor(store) {
    this.store = store;
    this.model = new TimelineModel(store.profile);
    const host = byId("timeline");
    if (this.model.events.length === 0) {
      host.append(element("p", { class: "empty" }, "No dispatch was recorded."));
      return;
    }
    host.append(this.#overview, this.#canvas);
    byId("timeline-tools").append(...this.#tools());
    byId("timeline-legend").append(this.#range);
    this.#listen();
    drawOnResize(host, (width) => {
      this.#width = width;
      this.#draw();
    });
    // A canvas does not follow the colours of the page by itself.
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#later());
    store.subscribe((changed) => {
      if (["selected", "filter", "colour"].some((name) => changed.has(name))) this.#later();
    });
  }

  #tools() {
    const button = (/** @type {string} */ text, /** @type {string} */ label, /** @type {() => void} */ act) =>
      element("button", { type: "button", "aria-label": label, title: label, onclick: act }, text);
    return [
      choiceButtons("colour", ["phase", "op"], this.store.choice.colour, (colour) =>
        this.store.set({ colour: /** @type {"phase" | "op"} */ (colour) }),
      ),
      element(
        "div",
        { class: "choices" },
        button("+", "zoom in", () => this.#zoom(2)),
        button("−", "zoom out", () => this.#zoom(0.5)),
        button("all", "show all", () => this.#show(0, this.model.fullEnd)),
        button("longest", "go to the longest call of the selected kernel, or of all", () => this.#longest()),
      ),
    ];
  }

  #listen() {
    const canvas = this.#canvas;
    canvas.addEventListener("keydown", (event) => this.#key(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    canvas.addEventListener("pointerleave", () => this.#point(undefined));
    canvas.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    drag(
      canvas,
      (from, to, event, state) => {
        const ruler = new Ruler(this.model, this.#width);
        const start = state.start ?? this.model.start;
        const length = this.model.end - this.model.start;
        state.start = start;
        const shift = ((from - to) / ruler.pixels) * length;
        this.#show(start + shift, start + shift + length);
        showTip();
        event.preventDefault();
      },
      (x, event) => this.#click(x, event),
    );
    const overviewMs = (/** @type {number} */ x) =>
      ((x - gutter) / new Ruler(this.model, this.#width).pixels) * this.model.fullEnd;
    drag(
      this.#overview,
      (from, to) => this.#show(overviewMs(Math.min(from, to)), overviewMs(Math.max(from, to))),
      (x) => {
        const half = (this.model.end - this.model.start) / 2;
        this.#show(overviewMs(x) - half, overviewMs(x) + half);
      },
    );
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const { start, end } = this.model;
    const step = (end - start) / 8;
    /** @type {Record<string, () => void>} */
    const acts = {
      ArrowLeft: () => this.#show(start - step, end - step),
      ArrowRight: () => this.#show(start + step, end + step),
      "+": () => this.#zoom(2),
      "=": () => this.#zoom(2),
      "-": () => this.#zoom(0.5),
      0: () => this.#show(0, this.model.fullEnd),
      ",": () => this.#step(-1),
      ".": () => this.#step(1),
      Escape: () => this.store.set({ selected: -1 }),
    };
    const act = acts[event.key];
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  }

  /** Selects the next dispatch in time, of those that pass the filter, and shows it. @param {number} by */
  #step(by) {
    const { events } = this.model;
    const now = this.#pointed ? events.indexOf(this.#pointed) : by > 0 ? -1 : events.length;
    for (let at = now + by; at >= 0 && at < events.length; at += by) {
      const event = events[at];
      if (event && this.store.shows(event.kernel)) return this.#goTo(event);
    }
  }

  #longest() {
    const { selected } = this.store.choice;
    const all = this.model.events.filter(({ kernel }) =>
      selected < 0 ? this.store.shows(kernel) : kernel === selected,
    );
    const longest = all.reduce(
      (/** @type {Placed | undefined} */ a, b) => (a && a.durationMs >= b.durationMs ? a : b),
      undefined,
    );
    if (longest) this.#goTo(longest, 6 * longest.durationMs);
  }

  /** @param {Placed} event @param {number} [range] */
  #goTo(event, range = this.model.end - this.model.start) {
    this.#pointed = event;
    const middle = event.startMs + event.durationMs / 2;
    const outside = event.startMs < this.model.start || event.startMs + event.durationMs > this.model.end;
    if (outside || range !== this.model.end - this.model.start) this.model.show(middle - range / 2, middle + range / 2);
    this.store.set({ selected: event.kernel });
    this.#later();
  }

  /** @param {number} factor @param {number} [around] */
  #zoom(factor, around) {
    this.model.zoom(factor, around);
    this.#later();
  }

  /** @param {number} start @param {number} end */
  #show(start, end) {
    this.model.show(start, end);
    this.#later();
  }

  /** Zooms with Ctrl or a pinch, moves sideways; plain turns scroll the page. @param {WheelEvent} event */
  #wheel(event) {
    const ruler = new Ruler(this.model, this.#width);
    if (event.ctrlKey || event.metaKey) this.#zoom(Math.exp(-event.deltaY / 200), ruler.ms(event.offsetX));
    else if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      const shift = ruler.ms(gutter + event.deltaX) - this.model.start;
      this.#show(this.model.start + shift, this.model.end + shift);
    } else return;
    event.preventDefault();
  }

  /** @param {number} x @param {number} y */
  #eventUnder(x, y) {
    const ruler = new Ruler(this.model, this.#width);
    const distance = ruler.ms(gutter + 4) - this.model.start;
    if (x < gutter) return undefined;
    if (within(y, tracks.host)) return this.model.recordingAt(ruler.ms(x), distance);
    return within(y, tracks.gpu) ? this.model.eventAt(ruler.ms(x), distance) : undefined;
  }

  /** @param {PointerEvent} pointer */
  #move(pointer) {
    if (pointer.buttons) return;
    const { offsetX: x, offsetY: y } = pointer;
    const event = this.#eventUnder(x, y);
    this.#point(event);
    const ms = new Ruler(this.model, this.#width).ms(x);
    if (event) showTip(pointer, ...this.#lines(event));
    else if (x >= gutter && within(y, tracks.memory))
      showTip(pointer, `${bytes(this.model.bytesAt(ms))} in use at ${grouped(ms, 3)} ms`);
  }

  /** @param {Placed} event */
  #lines({ kernel, index, startMs, durationMs, recordedMs, submit, cold }) {
    const profile = this.store.profile.kernels[kernel];
    return [
      ...(profile ? kernelLines(profile) : []),
      `this call: ${time(durationMs)} at ${grouped(startMs, 3)} ms${cold ? ", just compiled" : ""}`,
      `dispatch ${index} of submit ${submit}, recorded ${startMs >= recordedMs ? `${time(startMs - recordedMs)} before` : `${time(recordedMs - startMs)} after`}`,
    ];
  }

  /** @param {Placed | undefined} event */
  #point(event) {
    if (!event) showTip();
    if (event === this.#pointed) return;
    this.#pointed = event;
    this.#later();
  }

  /** @param {number} x @param {PointerEvent} pointer */
  #click(x, pointer) {
    const event = this.#eventUnder(x, pointer.offsetY);
    this.store.set({ selected: event && event.kernel !== this.store.choice.selected ? event.kernel : -1 });
  }

  /** Draws once before the next frame, however often asked. */
  #later() {
    if (this.#waiting) return;
    this.#waiting = true;
    requestAnimationFrame(() => {
      this.#waiting = false;
      this.#draw();
    });
  }

  #draw() {
    if (this.#width === 0) return;
    drawOverview(
      prepare(this.#overview, this.#width, overviewHeight),
      this.model,
      this.store,
      this.#width,
      overviewHeight,
    );
    drawTimeline(
      prepare(this.#canvas, this.#width, timelineHeight),
      new Ruler(this.model, this.#width),
      this.store,
      this.#pointed,
    );
    const { start, end } = this.model;
    this.#range.textContent = `from ${grouped(start, 3)} ms, ${time(end - start)} long`;
    this.#canvas.dataset["start"] = String(start);
    this.#canvas.dataset["end"] = String(end);
  }
}

/** @param {number} y @param {{ top: number, height: number }} track */
function within(y, { top, height }) {
  return y >= top && y < top + height;
}

/**
 * A press that moves calls `moved` with both places, one that does not is a click.
 * @param {HTMLElement} target
 * @param {(from: number, to: number, event: PointerEvent, state: { start?: number }) => void} moved
 * @param {(x: number, event: PointerEvent) => void} clicked
 */
function drag(target, moved, clicked) {
  target.addEventListener("pointerdown", (down) => {
    if (down.button !== 0) return;
    /** @type {{ start?: number }} */
    const state = {};
    let far = false;
    const left = down.clientX - down.offsetX;
    const ended = new AbortController();
    const { signal } = ended;
    target.setPointerCapture(down.pointerId);
    target.addEventListener(
      "pointermove",
      (event) => {
        far ||= Math.abs(event.clientX - down.clientX) > 3;
        if (far) moved(down.offsetX, event.clientX - left, event, state);
      },
      { signal },
    );
    target.addEventListener("pointerup", (event) => !far && clicked(down.offsetX, event), { signal });
    // Comes after pointerup, and when the system takes the pointer away.
    target.addEventListener("lostpointercapture", () => ended.abort(), { signal });
  });
}
