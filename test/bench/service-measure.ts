import { readFile } from "node:fs/promises";
import { machineText } from "../../cli/bench-roofs.ts";
import { openDevice } from "../../engine/device/open.ts";
import { restoreChoices } from "../../engine/tune/choices.ts";
import { freshModel, networkMilliseconds, withPictures } from "../../models/bench/scoring.ts";
import { cplOptions } from "../../models/methods/cpl/options.ts";
import { openScorer, type Scorer } from "../../models/scoring/scorer.ts";
import { startServing } from "../cli/serving.ts";
import { type KnownPicture, type Load, load, quantile, residentBytes, together } from "./service-load.ts";

export interface ServiceBenchOptions {
  /** A trained model; a ResNet-18 with drawn weights unless given. */
  readonly model?: string;
  /** The most pictures taken through the network at once, by library and service. */
  readonly batch?: number;
  /** How long each number of clients sends pictures, in all rounds together. */
  readonly seconds: number;
  /** So often `scoreMany` and each number of clients take turns, because a machine is not as fast now as then. */
  readonly rounds: number;
  /** Numbers of clients at the same time. */
  readonly clients: readonly number[];
  /** Different pictures. */
  readonly pictures: number;
  /** Requests over which memory is watched, of a small model. */
  readonly requests: number;
  /** The small model for all of it. */
  readonly quick: boolean;
}

export interface ServiceBench {
  readonly machine: string;
  readonly model: string;
  readonly pictures: number;
  /** How many of the pictures have a score of their own, so that an answer to another one is seen. */
  readonly differentScores: number;
  /** `scoreMany` on the same files before and after every load, pictures a second. */
  readonly scoreMany: readonly number[];
  /** Pictures that are on the device already, by the network alone, before each round: milliseconds each. */
  readonly networkMs: readonly number[];
  /** One picture after another, medians: the library's `score`, and the service with one client. */
  readonly aloneMs: { readonly library: number; readonly service: number };
  readonly loads: readonly ComparedLoad[];
  readonly memory: Memory;
}

/** All rounds of as many clients. */
export interface ComparedLoad extends Load {
  /** Pictures a second over those of `scoreMany` right before and after, of each round. */
  readonly ratios: readonly number[];
  /** Milliseconds a picture, less those of the network alone, of each round. */
  readonly aboveMs: readonly number[];
}

/** Resident memory of the process of a service. */
export interface Memory {
  readonly load: Load;
  /** Medians of the tenth of the requests after the first fifth, and of the last tenth; bytes. */
  readonly afterWarmUp: number;
  readonly atEnd: number;
}

/** A service in a process of its own beside the library in this one, on the same files and adapter. */
export async function measureService(options: ServiceBenchOptions): Promise<ServiceBench> {
  return withPictures(options.pictures, async (folder, paths) => {
    const device = await openDevice();
    try {
      await restoreChoices(device);
      const small = cplOptions({ stages: 1, embedding: 16, levels: 20, resize: 36, crop: 32 });
      const model = options.model ?? (await freshModel(device, folder, options.quick ? small : cplOptions({})));
      const measured = await compared({ ...options, device, model, paths });
      const smallModel = await freshModel(device, folder, small);
      const memory = await watched(await known(smallModel, device, paths), smallModel, options.requests);
      return { machine: machineText(device), ...measured, memory };
    } finally {
      device.close();
    }
  });
}

type Device = Awaited<ReturnType<typeof openDevice>>;
type Compared = ServiceBenchOptions & {
  readonly device: Device;
  readonly model: string;
  readonly paths: readonly string[];
};

async function compared({ device, model, paths, clients, seconds, rounds, batch }: Compared) {
  await using scorer = await openScorer({ model, device, batch });
  const pictures = await scored(scorer, paths);
  const libraryMs = await aloneMs(paths, (path) => scorer.score(path));
  const networkMs: number[] = [];
  const serving = await startServing([process.execPath], ["--model", model, "--batch", String(scorer.batch)]);
  const scoreMany: number[] = [];
  const loads = clients.map((): Load[] => []);
  let serviceMs = 0;
  try {
    // Kernels are compiled before anything is measured.
    await load(serving.url, pictures, { clients: Math.max(...clients), goesOn: (sent) => sent < pictures.length });
    serviceMs = await aloneMs(pictures, (picture) => {
      let left = 1;
      return load(serving.url, [picture], { clients: 1, goesOn: () => left-- > 0 });
    });
    const goesOn = (_: number, gone: number) => gone < seconds / rounds;
    const beside = async () => scoreMany.push(await scoreManyRate(scorer, paths, seconds / rounds));
    for (let round = 0; round < rounds; round++) {
      networkMs.push(await networkMilliseconds(device, scorer.card.options, paths[0]!, scorer.batch));
      if (round === 0) await beside();
      for (const [i, count] of clients.entries()) {
        loads[i]!.push(await load(serving.url, pictures, { clients: count, goesOn }));
        await beside();
      }
    }
  } finally {
    process.kill(serving.pid, "SIGTERM");
    await serving.exit;
  }
  /** Of a round's load of the i-th number of clients. */
  const ratio = ({ perSecond }: Load, round: number, i: number) => {
    const turn = round * clients.length + i;
    return (2 * perSecond) / (scoreMany[turn]! + scoreMany[turn + 1]!);
  };
  return {
    model: `${scorer.name}: ${scorer.card.options.backbone}, ${scorer.card.options.crop} pixels, batch ${scorer.batch}`,
    pictures: pictures.length,
    differentScores: new Set(pictures.map(({ score }) => score)).size,
    scoreMany,
    networkMs,
    aloneMs: { library: libraryMs, service: serviceMs },
    loads: loads.map((turns, i) => ({
      ...together(turns),
      ratios: turns.map((turn, round) => ratio(turn, round, i)),
      aboveMs: turns.map(({ perSecond }, round) => 1000 / perSecond - networkMs[round]!),
    })),
  };
}

async function known(model: string, device: Device, paths: readonly string[]): Promise<KnownPicture[]> {
  await using scorer = await openScorer({ model, device });
  return await scored(scorer, paths);
}

/** The pictures with their scores, each scored alone. */
async function scored(scorer: Scorer, paths: readonly string[]): Promise<KnownPicture[]> {
  const pictures: KnownPicture[] = [];
  for (const path of paths) {
    const { score } = await scorer.score(path);
    pictures.push({ bytes: new Uint8Array(await readFile(path)), score });
  }
  return pictures;
}

/** Pictures a second from files to scores, the files again and again. */
async function scoreManyRate(scorer: Scorer, paths: readonly string[], seconds: number): Promise<number> {
  for await (const row of scorer.scoreMany(paths)) if ("error" in row) throw row.error;
  const start = performance.now();
  let count = 0;
  function* again() {
    for (let i = 0; performance.now() - start < 1000 * seconds; i++) yield paths[i % paths.length]!;
  }
  for await (const row of scorer.scoreMany(again())) {
    if ("error" in row) throw row.error;
    count++;
  }
  return (1000 * count) / (performance.now() - start);
}

/** Median milliseconds of one call after another. */
async function aloneMs<T>(inputs: readonly T[], call: (input: T) => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (const input of inputs.slice(0, 16)) {
    const start = performance.now();
    await call(input);
    times.push(performance.now() - start);
  }
  return quantile(times, 0.5);
}

/** The memory of a service while it answers so many requests. */
async function watched(pictures: readonly KnownPicture[], model: string, requests: number): Promise<Memory> {
  const serving = await startServing([process.execPath], ["--model", model]);
  try {
    const samples: { readonly at: number; readonly bytes: number }[] = [];
    let at = 0;
    const sampling = setInterval(async () => {
      const bytes = await residentBytes(serving.url).catch(() => undefined);
      if (bytes) samples.push({ at, bytes });
    }, 50);
    const result = await load(serving.url, pictures, {
      clients: 16,
      goesOn: (sent) => {
        at = sent;
        return sent < requests;
      },
    });
    clearInterval(sampling);
    const between = (from: number, to: number) => {
      const inside = samples.filter((sample) => sample.at >= from * requests && sample.at <= to * requests);
      return quantile(
        inside.map(({ bytes }) => bytes),
        0.5,
      );
    };
    return { load: result, afterWarmUp: between(0.2, 0.3), atEnd: between(0.9, 1) };
  } finally {
    process.kill(serving.pid, "SIGTERM");
    await serving.exit;
  }
}
