// Loaded before a program that `acutance profile -- PROGRAM` runs.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { threadId } from "node:worker_threads";
import { Instrument } from "./instrument.ts";
import { configVariable, type ProgramConfig } from "./protocol.ts";
import { runtimeOf, systemOf } from "./surroundings.ts";

/** Every so often what has run is read, so that a crash loses little. */
const periodMs = 100;

interface Addon {
  create?: (options: string[]) => GPU;
  globals?: Record<string, unknown>;
}

const text = process.env[configVariable];
if (text) start(JSON.parse(text) as ProgramConfig);

function start(config: ProgramConfig): void {
  mkdirSync(config.folder, { recursive: true });
  const instrument = new Instrument(join(config.folder, `${process.pid}-${threadId}.jsonl`), config);
  const { recorder } = instrument;
  recorder.write({ kind: "start", runtime: runtimeOf(), system: systemOf(), at: new Date().toISOString() });
  watchNavigator(instrument);
  watchAddons(instrument);
  const timer = setInterval(() => instrument.readSoon(), periodMs);
  if (typeof timer === "object") timer.unref?.();
  let isSettled = false;
  process.on("beforeExit", () => {
    if (!instrument.hasDevices || (isSettled && !instrument.isPending)) return;
    isSettled = true;
    void instrument.settle();
  });
  process.on("exit", (code) => {
    instrument.writeState();
    recorder.write({ kind: "end", code: Number(code ?? 0) });
    if (instrument.hasDevices) recorder.flush();
  });
}

/** What is there as navigator.gpu, now or once the program has put it there. */
function watchNavigator(instrument: Instrument): void {
  const { navigator } = globalThis as { navigator?: { gpu?: GPU } };
  if (navigator?.gpu) {
    instrument.watch(navigator.gpu, "navigator.gpu");
    return;
  }
  if (!navigator) return;
  let gpu: GPU | undefined;
  Object.defineProperty(navigator, "gpu", {
    configurable: true,
    enumerable: true,
    get: () => gpu,
    set: (value: GPU | undefined) => {
      gpu = value;
      if (value) instrument.watch(value, "navigator.gpu");
    },
  });
}

/** What an addon such as Dawn's makes, whichever copy of it the program loads. */
function watchAddons(instrument: Instrument): void {
  const load = process.dlopen;
  if (typeof load !== "function") return;
  process.dlopen = function (this: unknown, module: object, ...rest: unknown[]) {
    const result = (load as (...args: unknown[]) => unknown).call(this, module, ...rest);
    const exports = (module as { exports?: Addon }).exports;
    const { create, globals } = exports ?? {};
    if (exports && typeof create === "function" && globals?.["GPUDevice"]) {
      exports.create = (options) => {
        const gpu = create(withFineClock(options));
        instrument.watch(gpu, "webgpu");
        return gpu;
      };
    }
    return result;
  } as typeof process.dlopen;
}

/** Dawn rounds timestamps to 65.5 µs unless told otherwise; nothing else comes of the option. */
function withFineClock(options: unknown): string[] {
  const list = Array.isArray(options) ? (options as string[]) : [];
  const name = "disable-dawn-features=";
  const feature = "timestamp_quantization";
  const at = list.findIndex((option) => option.startsWith(name));
  if (at < 0) return [...list, name + feature];
  return list.map((option, i) => (i === at ? `${option},${feature}` : option));
}
