import { createHash } from "node:crypto";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { cpus } from "node:os";
import { dirname, join } from "node:path";
import { z } from "zod";
import type { Device } from "../device/device.ts";
import { providerVersion } from "../device/probe.ts";
import { writeFileAtomically } from "../weights/atomic.ts";
import { type FileError, jsonOf, readText } from "../weights/files.ts";
import { cacheFolder } from "./cache-folder.ts";

/** What a cached value depends on, by name. */
export type CacheKey = Readonly<Record<string, string>>;

/** Why nothing can be kept in {@link cacheFolder}, as a sentence; undefined when it can. Leaves the folder made. */
export async function cacheTrouble(folder = cacheFolder()): Promise<string | undefined> {
  if (folder === undefined)
    return "the user has no home folder; set ACUTANCE_CACHE to a folder to keep measurements in";
  const trial = join(folder, `.${process.pid}.tmp`);
  try {
    await mkdir(folder, { recursive: true });
    await writeFile(trial, "");
    await rm(trial);
    return undefined;
  } catch (error) {
    return `${folder} cannot be written (${reason(error)}); set ACUTANCE_CACHE to another folder`;
  }
}

/**
 * The adapter, its driver and provider, what of it the device may use, and the host's processor, on which submits, uploads
 * and software adapters depend. Measurements hold for devices with the same key.
 */
export function deviceKey(device: Device): CacheKey {
  const { provider, vendor, architecture, description } = device.info;
  const processors = cpus();
  return {
    provider: `${provider} ${providerVersion(provider)}`,
    vendor,
    architecture,
    // Dawn puts the driver's name and version into the description.
    description,
    device: device.gpu.adapterInfo?.device ?? "",
    features: [...device.features].sort().join(" "),
    // Of Mesa's software driver it tells the vectors, which the environment sets.
    subgroupSize: String(device.subgroupSize),
    maximumBindingBytes: String(device.maximumBindingBytes),
    host: `${processors.length} x ${processors[0]?.model.trim() ?? "unknown"}`,
  };
}

export interface CacheOptions<T> {
  /** Names the kind of value and the subfolder, e.g. "roofs". */
  readonly name: string;
  /** Raised when a value of the same form means something else than before. */
  readonly version: number;
  readonly schema: z.ZodType<T>;
  /** Takes one sentence for the user about a file that cannot be used. */
  readonly onNote?: (note: string) => void;
  /** By default {@link cacheFolder}. */
  readonly folder?: string;
}

/**
 * JSON values on disk, one file for each key, checked when they are read. A cache never fails: a file that is broken,
 * of another version or of another key is ignored with a note, and so is a folder that cannot be written.
 */
export class Cache<T> {
  readonly #options: CacheOptions<T>;

  constructor(options: CacheOptions<T>) {
    this.#options = options;
  }

  /** Where the value of a key is or would be; undefined where there is no folder for it. */
  path(key: CacheKey): string | undefined {
    const { folder = cacheFolder(), name } = this.#options;
    if (folder === undefined) return undefined;
    const hash = createHash("sha256")
      .update(JSON.stringify(sorted(key)))
      .digest("hex");
    return join(folder, name, `${hash.slice(0, 32)}.json`);
  }

  /** The value stored under a key, undefined when there is none that can be used. */
  async read(key: CacheKey): Promise<T | undefined> {
    const path = this.path(key);
    if (path === undefined) return undefined;
    try {
      return this.#open(jsonOf(await readText(path), path), key);
    } catch (error) {
      if ((error as FileError).code !== "ENOENT") this.#note(`${path} is not used: ${reason(error)}`);
      return undefined;
    }
  }

  /** Stores a value under a key in place of an older one, atomically. */
  async write(key: CacheKey, value: T): Promise<void> {
    const path = this.path(key);
    const { name, version } = this.#options;
    if (path === undefined) {
      this.#note("there is no folder for a cache, so this will be done again; set ACUTANCE_CACHE to one");
      return;
    }
    try {
      await mkdir(dirname(path), { recursive: true });
      await writeFileAtomically(path, `${JSON.stringify({ name, version, key: sorted(key), value }, null, 2)}\n`);
    } catch (error) {
      this.#note(`${path} could not be written, so this will be done again: ${reason(error)}`);
    }
  }

  #open(content: unknown, key: CacheKey): T {
    const { name, version, schema } = this.#options;
    const file = z
      .object({ name: z.string(), version: z.number(), key: z.record(z.string(), z.string()), value: z.unknown() })
      .parse(content);
    if (file.name !== name || file.version !== version) {
      throw new Error(`it holds ${file.name} of version ${file.version}, not ${name} of version ${version}`);
    }
    for (const field of new Set([...Object.keys(key), ...Object.keys(file.key)])) {
      if (file.key[field] !== key[field]) {
        throw new Error(`its ${field} is ${quoted(file.key[field])}, not ${quoted(key[field])}`);
      }
    }
    return schema.parse(file.value);
  }

  #note(text: string): void {
    this.#options.onNote?.(text);
  }
}

function sorted(key: CacheKey): CacheKey {
  return Object.fromEntries(Object.entries(key).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function quoted(text: string | undefined): string {
  return text === undefined ? "absent" : `"${text}"`;
}

function reason(error: unknown): string {
  if (error instanceof z.ZodError) return z.prettifyError(error).replace(/\s+/g, " ");
  const message = error instanceof Error ? error.message : String(error);
  // The system names its call and the path, which is named already.
  return message.replace(/^[A-Z0-9]+: (.+), \w+ '.*'$/s, "$1");
}
