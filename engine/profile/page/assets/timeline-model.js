// What the timeline shows, without drawing it: order, the visible range, and the busy share of each pixel.

/** @typedef {import("./state.js").Profile} Profile */
/** @typedef {Profile["events"][number]} Event_ */

/** Least range that can be shown, ms. */
const leastRange = 1e-4;

export class TimelineModel {
  /** @param {Profile} profile */
  constructor({ events, memory, span }) {
    /** By start. */
    this.events = events.map((event, index) => ({ ...event, index })).sort((a, b) => a.startMs - b.startMs);
    /** By recording, positions in `events`. */
    this.recorded = this.events.map((_, at) => at).sort((a, b) => this.#recordedMs(a) - this.#recordedMs(b));
    this.submits = this.#submits();
    this.memory = memory.timeline;
    this.peakBytes = this.memory.reduce((most, { bytes }) => Math.max(most, bytes), Math.max(1, memory.peakBytes));
    const ends = this.events.map(({ startMs, durationMs }) => startMs + durationMs);
    /** The longest one bounds how far before a time an event that reaches it may start. */
    this.longest = this.events.reduce((most, { durationMs }) => Math.max(most, durationMs), 0);
    this.fullEnd = Math.max(
      leastRange,
      ends.reduce((a, b) => Math.max(a, b), 0),
      this.memory.at(-1)?.ms ?? 0,
      this.events.length > 0 ? 0 : span.wallMs,
    );
    this.start = 0;
    this.end = this.fullEnd;
  }

  /** @param {number} at */
  #recordedMs(at) {
    return this.events[at]?.recordedMs ?? 0;
  }

  /** Shows a range, moved inside the whole. @param {number} start @param {number} end */
  show(start, end) {
    const length = Math.min(this.fullEnd, Math.max(leastRange, end - start));
    this.start = Math.max(0, Math.min(this.fullEnd - length, start));
    this.end = this.start + length;
  }

  /** @param {number} factor above 1: nearer @param {number} [around] ms that stays in its place */
  zoom(factor, around = (this.start + this.end) / 2) {
    this.show(around - (around - this.start) / factor, around + (this.end - around) / factor);
  }

  /** Place in `recorded` of the first that was recorded from a time on. @param {number} ms */
  recordedFrom(ms) {
    return lowerBound(this.recorded, ms, (position) => this.#recordedMs(position));
  }

  /** Place in `submits` of the first that reaches a time. @param {number} ms */
  submitFrom(ms) {
    return Math.max(0, lowerBound(this.submits, ms, ({ from }) => from) - 1);
  }

  /** Runs of recordings of one submit. */
  #submits() {
    /** @type {{ submit: number, from: number, to: number }[]} */
    const submits = [];
    for (const at of this.recorded) {
      const event = /** @type {Event_} */ (this.events[at]);
      const group = submits.at(-1);
      if (group?.submit === event.submit) group.to = event.recordedMs;
      else submits.push({ submit: event.submit, from: event.recordedMs, to: event.recordedMs });
    }
    return submits;
  }

  /** Events that touch a range. @param {number} start @param {number} end @returns {Iterable<Event_ & { index: number }>} */
  *touching(start, end) {
    const { events } = this;
    for (let at = lowerBound(events, start - this.longest, ({ startMs }) => startMs); at < events.length; at++) {
      const event = /** @type {Event_ & { index: number }} */ (events[at]);
      if (event.startMs > end) break;
      if (event.startMs + event.durationMs >= start) yield event;
    }
  }

  /** The same as a list. @param {number} start @param {number} end */
  between(start, end) {
    return [...this.touching(start, end)];
  }

  /** The event that runs at a time, or the nearest within a distance. @param {number} ms @param {number} distance */
  eventAt(ms, distance) {
    const away = (/** @type {Event_} */ { startMs, durationMs }) =>
      Math.max(startMs - ms, ms - startMs - durationMs, 0);
    const near = this.between(ms - distance, ms + distance).sort((a, b) => away(a) - away(b))[0];
    return near && away(near) <= distance ? near : undefined;
  }

  /** The event recorded nearest to a time, within a distance. @param {number} ms @param {number} distance */
  recordingAt(ms, distance) {
    const at = lowerBound(this.recorded, ms, (position) => this.#recordedMs(position));
    const near = [at - 1, at]
      .flatMap((place) =>
        this.recorded[place] === undefined ? [] : [this.events[/** @type {number} */ (this.recorded[place])]],
      )
      .sort((a, b) => Math.abs((a?.recordedMs ?? 0) - ms) - Math.abs((b?.recordedMs ?? 0) - ms))[0];
    return near && Math.abs(near.recordedMs - ms) <= distance ? near : undefined;
  }

  /** Bytes in use at a time. @param {number} ms */
  bytesAt(ms) {
    const at = lowerBound(this.memory, ms + 1e-12, (point) => point.ms) - 1;
    return this.memory[at]?.bytes ?? 0;
  }

  /**
   * Busy share of each of `columns` equal parts of a range, by category: a table [column][category].
   * @param {Iterable<Event_>} events @param {number} start @param {number} end @param {number} columns @param {number} categories
   * @param {(event: Event_) => number} category  negative: the event does not count
   */
  static coverage(events, start, end, columns, categories, category) {
    const table = new Float32Array(columns * categories);
    const perMs = columns / (end - start);
    for (const event of events) {
      const from = Math.max(0, (event.startMs - start) * perMs);
      const kind = category(event);
      if (kind < 0) continue;
      const to = Math.min(columns, (event.startMs + event.durationMs - start) * perMs);
      for (let column = Math.floor(from); column < to; column++) {
        const at = column * categories + kind;
        table[at] = (table[at] ?? 0) + Math.min(to, column + 1) - Math.max(from, column);
      }
    }
    return table;
  }
}

/** First index whose key is at least the value. @template Item @param {readonly Item[]} items @param {number} value @param {(item: Item) => number} key */
export function lowerBound(items, value, key) {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (key(/** @type {Item} */ (items[middle])) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
