import { readFile } from "node:fs/promises";
import { isIP } from "node:net";
import { type Command, InvalidArgumentError, Option } from "commander";
import { SharedDevice } from "../engine/device/shared.ts";
import { parseBytes } from "../engine/memory/report.ts";
import { defaultModel, defaultModelName } from "../models/default-model.ts";
import { type LogEntry, openService } from "../models/service/index.ts";
import { tilesOption, wholeNumber } from "./data-options.ts";
import { addTuningOptions, deviceSource, memoryOption, type TuningFlags } from "./device.ts";
import { listen } from "./listen.ts";

interface ServeFlags extends TuningFlags {
  readonly model: string[];
  readonly host: string;
  readonly port: number;
  readonly tokenFile?: string;
  readonly tiles?: number;
  readonly batch?: number;
  readonly latency: number;
  readonly maxBody: number;
  readonly maxHeld: number;
  readonly maxPixels: number;
  readonly maxPictures: number;
  readonly maxQueue: number;
  readonly bodySeconds: number;
  readonly scoreSeconds: number;
  readonly allowUrls?: boolean;
  readonly urlSeconds: number;
  readonly memory?: number;
}

export function register(program: Command): void {
  const serve = program
    .command("serve")
    .description("score pictures over HTTP; OpenAPI at /openapi.json")
    .addOption(
      new Option("--model <file...>", "models made by `acutance train`; the first is the default of requests").default(
        [defaultModel],
        `${defaultModelName}, which comes with Acutance`,
      ),
    )
    .option("--host <address>", "address to listen on; others than this machine's own need --token-file", "127.0.0.1")
    .option("--port <n>", "port to listen on; 0 takes a free one", wholeNumber(0), 8080)
    .option("--token-file <file>", "file with the bearer token that clients must send (also ACUTANCE_TOKEN)")
    .option(...tilesOption)
    .option("--batch <n>", "the most pictures taken through the network at once", wholeNumber(1))
    .option("--latency <ms>", "how long a picture may wait for others while the adapter is idle", wholeNumber(0), 10)
    .option("--max-body <size>", "the longest body of a request", bytes, 64 * 2 ** 20)
    .option("--max-held <size>", "bodies held at a time", bytes, 2 ** 30)
    .option("--max-pixels <n>", "pixels of a picture, looked up before it is decoded", wholeNumber(1), 50_000_000)
    .option("--max-pictures <n>", "pictures in a request", wholeNumber(1), 64)
    .option(
      "--max-queue <n>",
      "pictures accepted and not yet answered; beyond them clients get 429",
      wholeNumber(1),
      1024,
    )
    .option("--body-seconds <s>", "time for a body to arrive, and for a client to read on", wholeNumber(1), 30)
    .option("--score-seconds <s>", "time for a picture to be scored once it has come", wholeNumber(1), 120)
    .option("--allow-urls", "fetch pictures that are named by their URL, from public addresses only")
    .option("--url-seconds <s>", "time for such a picture to come", wholeNumber(1), 10)
    .option(...memoryOption)
    .addHelpText(
      "after",
      "\nThe log goes to standard output, a line of JSON for each event. SIGTERM or Ctrl-C ends it when all is answered.",
    )
    .action(run);
  addTuningOptions(serve);
}

async function run(flags: ServeFlags): Promise<void> {
  const given = flags.tokenFile ? await readFile(flags.tokenFile, "utf8") : process.env["ACUTANCE_TOKEN"];
  const token = given?.trim();
  if (token === "")
    throw new Error("the bearer token is empty; without --token-file and ACUTANCE_TOKEN none is asked for");
  if (!token && !isLoopback(flags.host)) {
    throw new Error(`whoever reaches ${flags.host} could send pictures: give a bearer token with --token-file`);
  }
  const device = new SharedDevice(deviceSource(flags));
  const { tiles, batch, latency, maxPixels, maxPictures, maxQueue, bodySeconds, scoreSeconds, urlSeconds } = flags;
  await using service = await openService({
    models: flags.model.map((model) => ({
      ...{ model, device, latencyMs: latency },
      ...(tiles !== undefined && { tiles }),
      ...(batch !== undefined && { batch }),
    })),
    limits: {
      maxBodyBytes: flags.maxBody,
      maxHeldBytes: flags.maxHeld,
      ...{ maxPixels, maxPictures, maxQueue, bodySeconds, scoreSeconds, urlSeconds },
    },
    urls: flags.allowUrls ?? false,
    ...(token && { token }),
    log,
  });
  // Heard from the first connection on: a signal that nobody hears ends the process with what it has accepted.
  const signalled = ended();
  const listening = await listen(service, flags);
  log({ level: "info", event: "listening", url: listening.url, token: token !== undefined, pid: process.pid });
  const signal = await signalled;
  log({ level: "info", event: "draining", signal, requests: service.active });
  await listening.stop();
  log({ level: "info", event: "stopped" });
}

function log(entry: LogEntry): void {
  process.stdout.write(`${JSON.stringify({ time: new Date().toISOString(), ...entry })}\n`);
}

/** Resolves at the first signal to end; a second one ends the process at once. */
function ended(): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const signals = ["SIGTERM", "SIGINT"] as const;
  const end = (signal: string) => {
    for (const each of signals) process.off(each, end);
    resolve(signal);
  };
  for (const signal of signals) process.on(signal, end);
  return promise;
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}

function bytes(text: string): number {
  try {
    return parseBytes(text);
  } catch (error) {
    throw new InvalidArgumentError((error as Error).message);
  }
}
