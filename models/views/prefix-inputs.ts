import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { storable } from "../../engine/nn/named.ts";
import { concat } from "../../engine/ops/join.ts";
import type { CropWindow } from "../../engine/ops/pictures/image.ts";
import { type Shape, Tensor } from "../../engine/tensor.ts";
import { deviceKey } from "../../engine/tune/cache.ts";
import { writeFileAtomically } from "../../engine/weights/atomic.ts";
import packageJson from "../../package.json" with { type: "json" };
import { onDisk } from "../data/files/file-name.ts";
import { type Decoding, TensorStore } from "../data/index.ts";
import { prefetch } from "../data/prefetch.ts";
import { evaluationBatch, Forward, fittingBatch, type NetworkWork } from "../networks/forward.ts";
import type { Outputs, QualityNetwork } from "../networks/model.ts";
import { OptionError } from "../options.ts";
import { pictureInputs } from "./crop-inputs.ts";
import type { InputItem, InputOptions, Inputs, PrepareHooks, Wanted, WantedPictures } from "./inputs.ts";
import { drawTokens } from "./tokens.ts";
import { viewWindows, windowName } from "./windows.ts";

/** A picture and the view of it that a stored row is of: of a window, or a strong one by its number. */
interface StoredView {
  readonly path: string;
  readonly window: CropWindow;
  readonly strong?: number | undefined;
  readonly quarters?: number | undefined;
}

/** What is kept of pictures, and where. */
interface PrefixRows {
  readonly folder: string;
  /** Numbers of a row. */
  readonly length: number;
  readonly mapShape: Shape | undefined;
  readonly options: InputOptions;
}

/**
 * What the frozen sections of a model make of pictures, computed once and kept on disk as rows of float32: one file for
 * each content of a picture and each window, in a folder for each prefix (weights, options, adapter). Runs with the same
 * prefix share them.
 */
export class PrefixInputs extends TensorStore<Wanted, Float32Array<ArrayBuffer>> implements Inputs {
  readonly shape: Shape;
  readonly decoding: Decoding;
  readonly #model: QualityNetwork;
  readonly #options: InputOptions;
  readonly #folder: string;
  readonly #mapShape: Shape | undefined;
  readonly #hashes: Map<string, Promise<string>>;
  /** Why a picture has no rows. */
  readonly #broken: Map<string, unknown>;

  private constructor(model: QualityNetwork, inUse: number, { folder, length, mapShape, options }: PrefixRows) {
    const { device } = model;
    const [centre] = viewWindows(model.options);
    const hashes = new Map<string, Promise<string>>();
    const broken = new Map<string, unknown>();
    const viewOf = ({ window = centre!, ...changed }: Wanted) => viewName({ ...changed, window }, options);
    const read = async (wanted: Wanted) => {
      const { path } = wanted;
      if (broken.has(path)) throw broken.get(path);
      const bytes = await readFile(join(folder, rowFile(await contentHash(hashes, path), viewOf(wanted))));
      return new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4).slice();
    };
    const source = {
      key: (wanted: Wanted) => (wanted.window ? `${wanted.path} ${viewOf(wanted)}` : wanted.path),
      read,
      upload: (row: Float32Array<ArrayBuffer>) =>
        device.labels.within({ phase: "input" }, () =>
          device.owned("pictures", () => Tensor.from(device, row, [1, length])).keep(),
        ),
      tensorBytes: length * 4,
    };
    super(device, source, inUse);
    this.shape = [1, length];
    this.decoding = options.decoding ?? {};
    this.#model = model;
    this.#options = options;
    this.#folder = folder;
    this.#mapShape = mapShape;
    this.#hashes = hashes;
    this.#broken = broken;
  }

  /** @param folder of all prefixes; it need not exist */
  static async open(
    model: QualityNetwork,
    inUse: number,
    folder: string,
    options: InputOptions = {},
  ): Promise<PrefixInputs> {
    const { device } = model;
    const { crop } = model.options;
    const [length, mapShape] = device.scope(() => {
      const blank = Tensor.zeros(device, [1, crop, crop, 3]);
      return [model.prefix(blank).size, model.prefixMap(blank)] as const;
    });
    const { tokenShare, frozen } = model.options;
    if (tokenShare < 1 && !mapShape) {
      throw new OptionError(
        `\`tokenShare\` ${tokenShare}: no section learns after the ${frozen} frozen ones; freeze fewer`,
      );
    }
    const own = join(folder, await prefixKey(model));
    await mkdir(own, { recursive: true });
    return new PrefixInputs(model, inUse, { folder: own, length, mapShape, options });
  }

  /** Computes the rows that are not there yet. Pictures that cannot be decoded come as errors when they are loaded. */
  async prepare(
    { trained, strong, turned = [], others }: WantedPictures,
    { signal, progress }: PrepareHooks,
  ): Promise<void> {
    const windows = viewWindows(this.#model.options);
    const { kept = 0 } = this.#options.strong ?? {};
    const views: StoredView[] = [
      ...trained.flatMap(({ path }) => windows.map((window) => ({ path, window }))),
      ...strong.flatMap(({ path }) =>
        Array.from({ length: kept }, (_, number) => ({ path, window: windows[0]!, strong: number })),
      ),
      ...turned.flatMap(({ path }) => [1, 2, 3].map((quarters) => ({ path, window: windows[0]!, quarters }))),
      ...others.map(({ path }) => ({ path, window: windows[0]! })),
    ];
    const missing = await this.#missing(views);
    if (missing.length === 0) return;
    const bar = progress(missing.length);
    const { device } = this.#model;
    const store = pictureInputs(this.#model, 2 * evaluationBatch, 0, this.#options);
    const pass: NetworkWork<InputItem> = {
      assemble: (items) => store.assemble(items),
      run: (input) => this.#model.prefix(input),
    };
    const item = () => ({ tensor: Tensor.empty(device, store.shape), window: windows[0]! });
    const most = fittingBatch(device, item, pass);
    using forward = new Forward(device, most, pass);
    let batch: (InputItem & { readonly view: StoredView })[] = [];
    let running = Promise.resolve();
    const start = () => {
      const items = batch;
      batch = [];
      const read = forward.run(items, (output) => output.read());
      const written = this.#write(
        read,
        items.map(({ view }) => view),
      );
      return written.then(() => bar.advance(items.length));
    };
    try {
      for await (const loaded of store.load(missing)) {
        signal?.throwIfAborted();
        if ("error" in loaded) {
          this.#broken.set(loaded.row.path, loaded.error);
          bar.advance(1);
          continue;
        }
        const { window, strong, quarters } = loaded.row;
        const seed = strong === undefined ? undefined : await this.#seed(loaded.row.path, strong);
        batch.push({ tensor: loaded.tensor, window, strong: seed, quarters, view: loaded.row });
        if (batch.length < most) continue;
        const next = start();
        next.catch(() => {});
        await running;
        running = next;
      }
      await running;
      if (batch.length > 0) await start();
    } finally {
      await running.catch(() => {});
      store.dispose();
    }
  }

  assemble(items: readonly InputItem[]): Tensor {
    const rows = concat(items.map(({ tensor }) => tensor));
    const seeds = items.flatMap(({ tokens }) => tokens ?? []);
    return seeds.length === 0 ? rows : drawTokens(rows, this.#mapShape!, seeds, this.#model.options.tokenShare);
  }

  forward(batch: Tensor, training: boolean, model = this.#model): Outputs {
    return model.forwardRows(batch, this.#mapIn(batch), training);
  }

  /** Shape of the map in rows with all tokens or with a share of them. */
  #mapIn({ shape }: Tensor): Shape | undefined {
    const missing = this.shape[1]! - shape[1]!;
    if (missing === 0) return this.#mapShape;
    const [tokens, width] = this.#mapShape as [number, number];
    return [tokens - missing / width, width];
  }

  /** Of a kept strong view: other pictures have others, the same picture the same in every run. */
  async #seed(path: string, number: number): Promise<number> {
    const hash = await contentHash(this.#hashes, path);
    return Number.parseInt(hash.slice(0, 8), 16) + number * 2 ** 32;
  }

  /** Views without a whole row on disk, each once. */
  async #missing(views: readonly StoredView[]): Promise<StoredView[]> {
    const present = new Set<string>();
    for (const name of await readdir(this.#folder)) {
      const { size } = await stat(join(this.#folder, name));
      if (size === this.shape[1]! * 4) present.add(name);
    }
    const missing: StoredView[] = [];
    for await (const found of prefetch(views, ({ path }) => contentHash(this.#hashes, path), { ahead: 64 })) {
      if (!found.ok) {
        this.#broken.set(found.item.path, found.error);
        continue;
      }
      const name = rowFile(found.value, viewName(found.item, this.#options));
      if (present.has(name)) continue;
      present.add(name);
      missing.push(found.item);
    }
    return missing;
  }

  async #write(read: Promise<Float32Array>, views: readonly StoredView[]): Promise<void> {
    const all = await read;
    const length = this.shape[1]!;
    await Promise.all(
      views.map(async (view, i) => {
        const name = rowFile(await contentHash(this.#hashes, view.path), viewName(view, this.#options));
        const row = all.slice(i * length, (i + 1) * length);
        await writeFileAtomically(join(this.#folder, name), new Uint8Array(row.buffer));
      }),
    );
  }
}

function rowFile(hash: string, view: string): string {
  return `${hash}-${view}.f32`;
}

/** Names a view among those of a picture. */
function viewName({ window, strong, quarters = 0 }: Omit<StoredView, "path">, options: InputOptions): string {
  if (strong === undefined) return `${windowName(window)}${quarters > 0 ? `-turned-${quarters}` : ""}`;
  const { set } = options.strong!;
  return `${set}${options.turned && set === "quality" ? "-upright" : ""}-${strong}`;
}

/** SHA-256 of a file's content, computed once. */
function contentHash(hashes: Map<string, Promise<string>>, path: string): Promise<string> {
  let hash = hashes.get(path);
  if (!hash) {
    hash = readFile(onDisk(path)).then((bytes) => createHash("sha256").update(bytes).digest("hex"));
    // The rejection is met by those who wait for it.
    hash.catch(() => {});
    hashes.set(path, hash);
  }
  return hash;
}

/** Everything that a row depends on beside the picture. */
async function prefixKey(model: QualityNetwork): Promise<string> {
  const { network: kind, backbone, stages, featureDepths, pooling, frozen, resize, crop, cropFrom } = model.options;
  const { second, secondDepths, sides, secondSides } = model.options;
  // All backbones of a pair are one section.
  const pair = (kind === "paired" || kind === "branches") && {
    featureDepths,
    second,
    secondDepths,
    sides,
    secondSides,
  };
  const pooled = featureDepths.filter((depth) => depth <= frozen);
  const hash = createHash("sha256");
  const shown = cropFrom === "resized" ? { resize, crop } : { cropFrom, crop };
  const network = {
    ...(kind !== "standard" && { kind }),
    backbone,
    stages,
    pooled,
    pooling,
    frozen,
    ...shown,
    ...pair,
  };
  hash.update(JSON.stringify({ version: packageJson.version, device: deviceKey(model.device), network }));
  const names = model.frozenNames;
  for (const { name, data } of await storable(model.tensors().filter((tensor) => names.has(tensor.name)))) {
    hash.update(name);
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  }
  return hash.digest("hex").slice(0, 32);
}
