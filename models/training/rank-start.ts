import { createHash, randomUUID } from "node:crypto";
import { readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type NamedTensor, storable } from "../../engine/nn/named.ts";
import { gatherJson, RankError, type Ranks } from "../../engine/ranks/ranks.ts";
import packageJson from "../../package.json" with { type: "json" };
import type { Row } from "../data/index.ts";
import type { QualityNetwork } from "../networks/model.ts";
import { expectAllSame, expectSame, rankWords } from "./agree.ts";
import type { Position } from "./checkpoint.ts";
import type { TrainingOptions } from "./options.ts";
import { type TrainingData, TrainingError } from "./training.ts";

/** What a rank begins with. */
export interface RankStart {
  readonly method: string;
  readonly options: TrainingOptions;
  readonly data: TrainingData;
  readonly model: QualityNetwork;
  /** What a checkpoint holds beside the model. */
  readonly tensors: readonly NamedTensor[];
  readonly position: Readonly<Position>;
  readonly log: ((line: string) => void) | undefined;
}

/**
 * Sees before the first step that all ranks begin with the same. Adapters that may round otherwise are noted.
 * @throws RankError naming the ranks that differ, and in what, on all of them; TrainingError for what ranks cannot do
 */
export async function expectSameStart(ranks: Ranks, start: RankStart): Promise<void> {
  const { model, data, log } = start;
  const { device } = model;
  if (device.numbers)
    throw new TrainingError(
      "`checkNumbers` looks at numbers as they come up in one process; train without it, or without mpirun",
    );
  const pictures = [
    ...data.labelled,
    ...data.unlabelled,
    ...(data.validation ?? []),
    ...data.test,
    ...(data.ranked ?? []).flatMap((set) => set.pictures),
  ];
  const own = {
    "version of Acutance": packageJson.version,
    method: start.method,
    options: start.options,
    data: listed(data),
    "sizes of picture files": await sizesOf(pictures),
    "place to begin": start.position,
    "start weights": await weightsDigest([...model.tensors(), ...start.tensors]),
  };
  await expectAllSame(
    ranks,
    own,
    "give all ranks the same version, command line, pictures and files; where computers do not share a folder, copy it to each",
  );
  const adapters = await gatherJson(ranks, {
    adapter: `${device.info.vendor} ${device.info.architecture} ${device.info.description}`.trim(),
    f16: device.features.has("shader-f16"),
    subgroups: device.subgroups,
  });
  const kinds = Map.groupBy(adapters.keys(), (rank) => JSON.stringify(adapters[rank]));
  if (kinds.size > 1)
    log?.(
      `note: ranks have unlike adapters (${[...kinds.values()].map((own) => `${rankWords(own)}: ${adapters[own[0]!]!.adapter}`).join("; ")}), which may round otherwise; weights are compared after each epoch`,
    );
}

/**
 * Sees that weights and states of all ranks are the same bits.
 * @throws RankError naming the ranks that differ, on all of them
 */
export async function expectSameWeights(ranks: Ranks, tensors: readonly NamedTensor[]): Promise<void> {
  await expectSame(
    ranks,
    "weights or states, which were the same at the start",
    await weightsDigest(tensors),
    "all ranks need adapters and drivers of one kind; acutance doctor shows them",
  );
}

/** Everything of the data but where its files lie. */
function listed({ labelled, unlabelled, validation = [], test, ranked = [], range }: TrainingData): unknown {
  const named = (rows: readonly Row[]) => rows.map(({ path: _, ...row }) => row);
  return {
    ...{ labelled: named(labelled), unlabelled: named(unlabelled), validation: named(validation), test: named(test) },
    ranked: ranked.map(({ source, pictures }) => [source, pictures.map(({ name, level }) => [name, level])]),
    range,
  };
}

/** Bytes of files in order, -1 for one that is not there. */
async function sizesOf(rows: readonly { readonly path: string }[]): Promise<number[]> {
  const sizes: number[] = [];
  for (let start = 0; start < rows.length; start += 64) {
    const some = rows.slice(start, start + 64).map(({ path }) =>
      stat(path).then(
        ({ size }) => size,
        () => -1,
      ),
    );
    sizes.push(...(await Promise.all(some)));
  }
  return sizes;
}

async function weightsDigest(tensors: readonly NamedTensor[]): Promise<string> {
  const hash = createHash("sha256");
  for (const { name, data } of await storable(tensors))
    hash.update(name).update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return hash.digest("hex");
}

/** Bytes of a file that are sent at once. */
const pieceBytes = 64 * 2 ** 20;

/**
 * A file of rank 0, for all ranks: the others get a copy, which ends with what is returned.
 * @throws RankError on all ranks when it cannot be read
 */
export async function sharedFile(ranks: Ranks, path: string): Promise<AsyncDisposable & { readonly path: string }> {
  const isFirst = ranks.rank === 0;
  const content = isFirst ? await readFile(path).catch((error: Error) => error) : new Uint8Array();
  const said = await gatherJson(ranks, content instanceof Error ? content.message : content.byteLength);
  const [size] = said;
  if (typeof size !== "number") throw new RankError(`rank 0 cannot read ${path}: ${size}`);
  const pieces: Uint8Array[] = [];
  for (let start = 0; start < size; start += pieceBytes) {
    const bytes = Math.min(pieceBytes, size - start);
    const own = isFirst ? (content as Uint8Array).subarray(start, start + bytes) : new Uint8Array();
    const lengths = Array.from({ length: ranks.size }, (_, rank) => (rank === 0 ? bytes : 0));
    pieces.push((await ranks.gather(own, lengths))[0]!);
  }
  if (isFirst) return { path, async [Symbol.asyncDispose]() {} };
  const copy = join(tmpdir(), `acutance-${randomUUID()}.safetensors`);
  await writeFile(copy, pieces);
  return { path: copy, [Symbol.asyncDispose]: () => rm(copy, { force: true }) };
}
