/** A picture with what the network is shown of it, or why there is nothing to show. */
export type Shown<Row, Item> =
  | { readonly row: Row; readonly views: readonly ShownView<Item>[] }
  | { readonly row: Row; readonly error: unknown };

/** One view, brought to the device when its batch gathers. */
export interface ShownView<Item> {
  readonly item: () => Item;
  /** Called when its batch has been handed over. */
  readonly end?: (item: Item) => void;
}

export type Outcome<Row, Value> =
  | { readonly row: Row; readonly value: Value }
  | { readonly row: Row; readonly error: unknown };

export interface BatchRun<Item> {
  /** Views in a batch. */
  readonly most: number;
  /** Numbers that come of one view. */
  readonly length: number;
  /** Hands a batch over; the numbers of its views follow one another. */
  readonly run: (items: readonly Item[]) => Promise<Float32Array>;
}

interface Entry<Row> {
  readonly row: Row;
  readonly wanted: number;
  readonly outputs: Float32Array[];
  readonly error?: unknown;
}

/**
 * Views of pictures in full batches, whichever picture they are of, and for each picture, in order, what came of its views.
 * No more views than two batches are on the device: it works on one while the next gathers.
 */
export async function* throughBatches<Row, Item>(
  pictures: AsyncIterable<Shown<Row, Item>>,
  { most, length, run }: BatchRun<Item>,
): AsyncGenerator<Outcome<Row, Float32Array[]>, void, undefined> {
  /** Pictures that were not handed out yet. */
  const entries: Entry<Row>[] = [];
  let batch: { readonly entry: Entry<Row>; readonly item: Item; readonly end?: ((item: Item) => void) | undefined }[] =
    [];
  let running: Promise<void> = Promise.resolve();
  const release = () => {
    for (const { item, end } of batch) end?.(item);
    batch = [];
  };
  const start = (): Promise<void> => {
    const owners = batch.map(({ entry }) => entry);
    const read = run(batch.map(({ item }) => item));
    release();
    const done = read.then((all) => {
      owners.forEach((entry, i) => {
        entry.outputs.push(all.slice(i * length, (i + 1) * length));
      });
    });
    // Its rejection is no failure of the process when nobody comes to wait for it.
    done.catch(() => {});
    return done;
  };
  try {
    for await (const picture of pictures) {
      const views = "error" in picture ? [] : picture.views;
      const entry = { ...picture, wanted: views.length, outputs: [] };
      entries.push(entry);
      for (const { item, end } of views) {
        batch.push({ entry, item: item(), end });
        if (batch.length < most) continue;
        const next = start();
        await running;
        running = next;
        yield* finished(entries);
      }
    }
    const last = batch.length > 0 ? start() : undefined;
    await running;
    yield* finished(entries);
    await last;
    yield* finished(entries);
  } finally {
    release();
  }
}

/** Takes the pictures off the front whose views are all through. */
function* finished<Row>(entries: Entry<Row>[]): Generator<Outcome<Row, Float32Array[]>, void, undefined> {
  for (;;) {
    const [first] = entries;
    if (!first || first.outputs.length < first.wanted) return;
    entries.shift();
    const { row, outputs } = first;
    yield "error" in first ? { row, error: first.error } : { row, value: outputs };
  }
}
