const anchors = 3;
const pauseMs = 5;

/** A timestamp of the adapter, 0 where it told none, and the host's times before its submit and after its end, ms. */
export interface Anchor {
  readonly stamp: bigint;
  readonly before: number;
  readonly after: number;
}

/**
 * The adapter's clock laid on the host's: a timestamp lies between the host's times before its submit and after its
 * end, and the narrowest such pair counts.
 */
export class AdapterClock {
  readonly #anchor: () => Promise<Anchor>;
  readonly #origin: bigint;
  readonly #offsetMs: number;
  /** Half the width of the pair, ms. */
  readonly uncertaintyMs: number;

  private constructor(anchor: () => Promise<Anchor>, { stamp, before, after }: Anchor) {
    this.#anchor = anchor;
    this.#origin = stamp;
    this.#offsetMs = (before + after) / 2;
    this.uncertaintyMs = (after - before) / 2;
  }

  /**
   * @param anchor takes a timestamp of the adapter
   * @param stepMs the step of timestamps so far
   * @returns undefined when timestamps do not go on as the host's clock does
   */
  static async open(anchor: () => Promise<Anchor>, stepMs: () => number): Promise<AdapterClock | undefined> {
    const found: Anchor[] = [];
    for (let i = 0; i < anchors; i++) {
      if (i > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
      found.push(await anchor());
    }
    const [first, last] = [found[0]!, found.at(-1)!];
    const deviceMs = Number(last.stamp - first.stamp) / 1e6;
    const slackMs = stepMs() + 0.05 * (last.after - first.before);
    if (deviceMs < last.before - first.after - slackMs || deviceMs > last.after - first.before + slackMs)
      return undefined;
    const width = ({ before, after }: Anchor) => after - before;
    return new AdapterClock(
      anchor,
      found.reduce((a, b) => (width(b) < width(a) ? b : a)),
    );
  }

  /** A timestamp on the host's clock, ms. */
  hostMs(stamp: bigint): number {
    return Number(stamp - this.#origin) / 1e6 + this.#offsetMs;
  }

  /** How far the clocks have drifted apart since the first look, ms, beyond what is uncertain. */
  async driftMs(): Promise<number> {
    const { stamp, before, after } = await this.#anchor();
    // Of a device that is gone nothing is told.
    if (stamp === 0n) return 0;
    const there = this.hostMs(stamp);
    const [low, high] = [before - this.uncertaintyMs, after + this.uncertaintyMs];
    return there < low ? there - low : there > high ? there - high : 0;
  }
}
