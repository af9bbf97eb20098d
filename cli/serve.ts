import { type Command, Option } from "commander";
import { SharedDevice } from "../engine/device/shared.ts";
import { readText } from "../engine/weights/files.ts";
import { defaultModel, defaultModelName } from "../models/scoring/shipped-models.ts";
import { isLoopback, type LogEntry, openService } from "../models/service/index.ts";
import { limitsSchema } from "../models/service/options.ts";
import { addStrictness, type DecodingOptions, tilesOption, wholeNumber } from "./data-options.ts";
import { addTuningOptions, deviceSource, memoryOption, type TuningFlags } from "./device.ts";
import { listen } from "./listen.ts";
import { openLineLog } from "./log.ts";
import { reasonsOptions } from "./reasons-option.ts";
import { addSchemaFlags, schemaOptions } from "./schema-flags.ts";
import { startWatchdog } from "./watchdog.ts";

interface ServeFlags extends TuningFlags, Pick<DecodingOptions, "strictness"> {
  readonly model: string[];
  readonly host: string;
  readonly port: number;
  readonly tokenFile?: string;
  readonly tiles?: number;
  readonly batch?: number;
  readonly latency: number;
  readonly reasons?: boolean | string;
  readonly allowUrls?: boolean;
  readonly corsOrigin?: string[];
  readonly stallSeconds: number;
  readonly memory?: number;
}

export function register(program: Command): void {
  const serve = program
    .command("serve")
    .description("score pictures over HTTP; OpenAPI at /openapi.json")
    .addOption(
      new Option(
        "--model <file...>",
        "models made by `acutance train`, or `fast`; the first is the default of requests",
      ).default([defaultModel], `${defaultModelName}, which comes with Acutance`),
    )
    .option("--host <address>", "address to listen on; others than this machine's own need --token-file", "127.0.0.1")
    .option("--port <n>", "port to listen on; 0 takes a free one", wholeNumber(0, 65535), 8080)
    .option("--token-file <file>", "file with the bearer token that clients must send (also ACUTANCE_TOKEN)")
    .option(...tilesOption)
    .option(...reasonsOptions.file)
    .option(...reasonsOptions.none)
    .option("--batch <n>", "the most pictures taken through the network at once", wholeNumber(1))
    .option("--latency <ms>", "how long a picture may wait for others while the adapter is idle", wholeNumber(0), 10);
  addSchemaFlags(serve, limitsSchema.shape)
    .option("--allow-urls", "fetch pictures that are named by their URL, from public addresses only")
    .option(
      "--cors-origin <origin...>",
      "origins of web pages that may send pictures, as https://example.org; '*' for all",
    )
    .option(
      "--stall-seconds <s>",
      "end the process, to be started again, when its event loop stands still for so long; 0 never does",
      wholeNumber(0),
      60,
    )
    .option(...memoryOption)
    .addHelpText(
      "after",
      [
        "\nWithout a token it answers by the names of this machine alone (localhost, 127.0.0.1, --host) and to no web pages but its own",
        "and those of --cors-origin. A client may take as many of the queue's places and held bytes as it leaves free; connections are",
        "closed after 10 s without a request. The log goes to standard output, a line of JSON for each event; lines that nobody takes",
        "are left out and counted. SIGTERM or Ctrl-C ends it when all is answered.",
      ].join("\n"),
    )
    .action(run);
  addTuningOptions(addStrictness(serve));
}

async function run(flags: ServeFlags & Record<string, unknown>): Promise<void> {
  const lines = openLineLog(1);
  const log = (entry: LogEntry) => lines.write(entry);
  using _watchdog = flags.stallSeconds > 0 ? startWatchdog(flags.stallSeconds) : undefined;
  const given = flags.tokenFile ? await readText(flags.tokenFile) : process.env["ACUTANCE_TOKEN"];
  const token = given?.trim();
  if (token === "")
    throw new Error("the bearer token is empty; without --token-file and ACUTANCE_TOKEN none is asked for");
  if (!token && !isLoopback(flags.host)) {
    throw new Error(`whoever reaches ${flags.host} could send pictures: give a bearer token with --token-file`);
  }
  const device = new SharedDevice(deviceSource(flags));
  const { tiles, batch, latency, reasons } = flags;
  await using service = await openService({
    models: flags.model.map((model) => ({
      ...{ model, device, latencyMs: latency, reasons: reasons ?? true },
      ...(flags.strictness && { strictness: flags.strictness }),
      ...(tiles !== undefined && { tiles }),
      ...(batch !== undefined && { batch }),
    })),
    limits: schemaOptions(limitsSchema.shape, flags),
    ...(!token && { hosts: [flags.host] }),
    ...(flags.corsOrigin && { corsOrigins: flags.corsOrigin }),
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
  await lines.close(1000);
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
