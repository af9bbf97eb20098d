import { type Command, Option } from "commander";
import { SharedDevice } from "../engine/device/shared.ts";
import type { ExperimentWorker } from "../models/scale/experiment-worker.ts";
import { QueueError } from "../models/scale/queue-error.ts";
import { redacted } from "../models/scale/redact.ts";
import type { PictureWorker } from "../models/scale/worker.ts";
import type { WorkerOptions } from "../models/scale/worker-options.ts";
import type { LogEntry } from "../models/service/options.ts";
import { addDecodingOptions, type DecodingOptions, decodingOf, tilesOption, wholeNumber } from "./data-options.ts";
import { addTuningOptions, byteCount, deviceSource, memoryOption, pacedTuning, type TuningFlags } from "./device.ts";
import { openLineLog } from "./log.ts";
import { modelOption } from "./model-option.ts";
import { addQueueOptions, installWords, listenAddress, type QueueFlags, queueUrl } from "./queue-option.ts";
import { reasonsOptions } from "./reasons-option.ts";
import { UsageError } from "./usage-error.ts";

export interface WorkerFlags extends QueueFlags, TuningFlags, DecodingOptions {
  readonly store?: string;
  readonly model: string;
  readonly root?: string;
  readonly allowUrls?: boolean;
  readonly urlSeconds: number;
  readonly concurrency?: number;
  readonly batch?: number;
  readonly latency: number;
  readonly held: number;
  readonly mostEnds: number;
  readonly lockSeconds: number;
  readonly untilEmpty?: boolean;
  readonly http?: { readonly host: string; readonly port: number };
  readonly tiles?: number;
  readonly reasons?: boolean | string;
  readonly memory?: number;
  readonly experiments?: boolean;
  readonly featureFolder?: string;
}

export function register(program: Command): void {
  const worker = program
    .command("worker")
    .description("score the pictures of a queue, beside as many other workers as there are");
  addQueueOptions(worker)
    .option(
      "--store <place>",
      "where scores go: a file of SQLite, or postgres://… for workers of several machines (also ACUTANCE_STORE)",
    )
    .addOption(modelOption())
    .option(...tilesOption)
    .option(...reasonsOptions.file)
    .option(...reasonsOptions.none)
    .option("--root <folder>", "the folder that relative names lie in; nothing outside of it is read then")
    .option("--allow-urls", "fetch pictures that are named by their URL, from public addresses only")
    .option("--url-seconds <n>", "time for such a picture to come", wholeNumber(1), 30)
    .option(
      "--concurrency <n>",
      "pictures that are begun at a time (default: as many as keep the batches full)",
      wholeNumber(1),
    )
    .option("--batch <n>", "the most pictures taken through the network at once", wholeNumber(1))
    .option("--latency <ms>", "how long a picture may wait for others while the adapter is idle", wholeNumber(0), 10)
    .option("--held <size>", "bytes of pictures that are held at a time", byteCount, 2 ** 28)
    .option("--most-ends <n>", "how often its worker may end at once before a picture is given up", wholeNumber(1), 4)
    .option("--lock-seconds <n>", "a worker that says nothing for so long is taken for ended", wholeNumber(2), 30)
    .addOption(
      new Option("--experiments", "take the trainings of `acutance experiment --queue` instead of pictures").conflicts([
        "store",
        "untilEmpty",
        "root",
        "allowUrls",
      ]),
    )
    .option(
      "--feature-folder <folder>",
      "--experiments: where the output of frozen sections is kept (default: the user's cache)",
    )
    .option("--until-empty", "end when the queue is empty")
    .addOption(
      new Option("--http <port>", "answer /metrics, /healthz and /readyz, as 9090 or 0.0.0.0:9090").argParser(
        listenAddress,
      ),
    )
    .option(...memoryOption)
    .addHelpText("after", notes)
    .action(run);
  addTuningOptions(addDecodingOptions(worker));
}

const notes = `
\`acutance enqueue\` fills the queue. Names in it are files as this machine sees them, s3://bucket/key (credentials of the environment, AWS_…),
and URLs with --allow-urls. A picture gets one score in the store, by the SHA-256 of its content and the model, however often
workers are killed. What is wrong with a picture is kept in the store and the picture given up (\`acutance enqueue --dead\`);
what may pass, such as a network's fault, is tried again up to five times, each time after a longer pause.

SIGTERM or Ctrl-C: it finishes the pictures that it has begun, gives the rest back and ends with 0; once more ends it at once. The
log goes to standard output, a line of JSON for each event, without names of pictures and without credentials. An address on the
command line can be seen by other users of the machine: ACUTANCE_QUEUE and ACUTANCE_STORE cannot.`;

async function run(flags: WorkerFlags): Promise<void> {
  const store = flags.store ?? process.env["ACUTANCE_STORE"];
  if (!store && !flags.experiments)
    throw new UsageError(
      "where do the scores go? --store scores.db, or --store postgres://user@host/database for workers of several machines",
    );
  const url = queueUrl(flags);
  const lines = openLineLog(1);
  const log = (entry: LogEntry) => lines.write(entry);
  const stop = new AbortController();
  using _ = endings((signal) => {
    log({ level: "info", event: "signal", signal });
    stop.abort(new Error("interrupted before the queue was reached"));
  });
  const opening = {
    queue: url,
    name: flags.name,
    log,
    signal: stop.signal,
    waits: !flags.local,
    lockSeconds: flags.lockSeconds,
  };
  const worker = await (flags.experiments ? openTrainer(opening, flags) : openScoring(opening, store!, flags)).catch(
    (error: unknown) => {
      if (flags.local && error instanceof QueueError && /no Redis answers/.test(error.message))
        throw new QueueError(error.message, installWords, { cause: error });
      throw clean(error);
    },
  );
  const watched = flags.http && (await watch(worker, flags.http));
  const { place } = worker.queue;
  log({
    level: "info",
    event: "working",
    queue: place,
    name: flags.name,
    ...(watched && { url: watched.url }),
    pid: process.pid,
  });
  await worker.done;
  await watched?.[Symbol.asyncDispose]();
  log({ level: "info", event: "stopped" });
  await lines.close(1000);
}

type Opening = Required<Pick<WorkerOptions, "queue" | "name" | "log" | "signal" | "waits" | "lockSeconds">>;

async function openScoring(opening: Opening, store: string, flags: WorkerFlags): Promise<PictureWorker> {
  const { openWorker } = await import("../models/scale/worker.ts");
  const { tiles, batch, reasons, latency, root, concurrency, untilEmpty } = flags;
  return openWorker({
    ...opening,
    store,
    ...(root !== undefined && { root }),
    ...(concurrency !== undefined && { concurrency }),
    ...(untilEmpty && { untilEmpty }),
    urls: flags.allowUrls ?? false,
    urlSeconds: flags.urlSeconds,
    heldBytes: flags.held,
    mostEnds: flags.mostEnds,
    scorer: {
      model: flags.model,
      device: new SharedDevice(deviceSource(flags)),
      latencyMs: latency,
      ...decodingOf(flags),
      reasons: reasons ?? true,
      ...(tiles !== undefined && { tiles }),
      ...(batch !== undefined && { batch }),
    },
  });
}

async function openTrainer(opening: Opening, flags: WorkerFlags): Promise<ExperimentWorker> {
  const { openExperimentWorker } = await import("../models/scale/experiment-worker.ts");
  const { featureFolder } = flags;
  return openExperimentWorker({
    ...opening,
    device: deviceSource(flags),
    tune: pacedTuning(),
    ...(featureFolder !== undefined && { featureFolder }),
  });
}

async function watch(worker: PictureWorker | ExperimentWorker, place: NonNullable<WorkerFlags["http"]>) {
  const { serveMetrics } = await import("../models/scale/http.ts");
  return serveMetrics(worker, place);
}

/** An error without the credentials that a library may have put into its message. */
function clean(error: unknown): unknown {
  if (error instanceof Error) error.message = redacted(error.message);
  return error;
}

/** Calls back at the first signal to end; the second one ends the process at once. */
function endings(first: (signal: string) => void): Disposable {
  const codes = { SIGINT: 130, SIGTERM: 143 } as const;
  let heard = false;
  const listen = (signal: keyof typeof codes) => {
    if (heard) process.exit(codes[signal]);
    heard = true;
    first(signal);
  };
  for (const signal of Object.keys(codes) as (keyof typeof codes)[]) process.on(signal, listen);
  return {
    [Symbol.dispose]() {
      for (const signal of Object.keys(codes)) process.off(signal, listen);
    },
  };
}
