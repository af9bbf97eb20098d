import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, extname, resolve } from "node:path";
import { type ParseError, parse as parseJsonc, printParseErrorCode } from "jsonc-parser";
import { parse as parseToml } from "smol-toml";
import type { z } from "zod";
import { readCapture } from "../engine/harness/capture.ts";
import { type Description, descriptionSchema } from "../engine/harness/description.ts";
import { KernelUsageError } from "../engine/harness/errors.ts";
import { expectUsed, sweepPoints } from "../engine/harness/resolve.ts";
import { kernelNames } from "../engine/kernel/catalogue.ts";
import { partsOf, TemplateError } from "../engine/kernel/template.ts";
import { enginePart, kernelText, partIn } from "../engine/kernel/text.ts";
import { UsageError } from "./usage-error.ts";

type Table = Record<string, unknown>;

/** A kernel with what is asked of it. */
export interface KernelTask {
  /** Path as typed, for messages. */
  readonly file: string;
  readonly source: string;
  /** Where parts of a file of the user's are looked for. */
  readonly folder?: string;
  readonly description: Description;
  /** Path of the captured dispatch that it is. */
  readonly capturePath?: string;
}

/** What the command line says; each wins over the same of the file. */
export interface DescriptionFlags {
  readonly config?: string;
  readonly entry?: string;
  readonly constant?: Table;
  readonly buffer?: Table;
  readonly type?: Table;
  readonly fill?: Table;
  readonly param?: Table;
  readonly grid?: string;
  readonly reference?: string;
  readonly map?: Table;
  readonly option?: Table;
  readonly tolerance?: number;
  readonly flops?: string;
  readonly bytes?: string;
  readonly sweep?: Table;
  readonly seed?: number;
}

const formats = [".json", ".jsonc", ".toml"];

/**
 * Reads the kernel and how to run it.
 * @param path a WGSL file, a built-in kernel's name, a description that names the kernel, or a captured dispatch (.zip)
 * @param absent stands for what neither the description nor the flags say
 * @throws UsageError when a file cannot be read or the description is not of its form
 */
export function readTask(path: string, flags: DescriptionFlags, absent: Table = {}): KernelTask {
  if (extname(path) === ".zip") return readCapturedTask(path, flags);
  const described = formats.includes(extname(path));
  if (described && flags.config) throw new UsageError(`${path} and --config ${flags.config} are both descriptions`);
  const config = described ? path : flags.config;
  const stored = config === undefined ? {} : readDescription(config);
  const description = parseDescription(merged({ ...absent, ...stored }, flags), config ?? "the command line");
  if (!described) return { ...readSource(path), description };
  if (!description.kernel) throw new UsageError(`${path}: "kernel" is missing: the WGSL file to run`);
  return { ...readSource(resolve(dirname(path), description.kernel), description.kernel), description };
}

/** A captured dispatch; what the flags say wins over it. */
function readCapturedTask(path: string, flags: DescriptionFlags): KernelTask {
  const fixed = (["config", "buffer", "type", "fill", "param"] as const).find((name) => flags[name] !== undefined);
  if (fixed) throw new UsageError(`--${fixed} does not go with ${path}: a captured dispatch has its buffers`);
  try {
    const { record, wgsl } = readCapture(path);
    const { entryPoint, constants, grid } = record;
    const stored = { entry: entryPoint, constants, grid, buffers: {} };
    const { tolerance, reference } = flags;
    // Without a reference it is that of the comparison with the capture.
    const said = reference === undefined ? { ...flags, tolerance: undefined } : { ...flags, tolerance };
    const description = parseDescription(merged(stored, said), path);
    return {
      file: basename(path),
      source: wgsl,
      description,
      folder: dirname(resolve(path)),
      capturePath: resolve(path),
    };
  } catch (error) {
    throw error instanceof KernelUsageError ? new UsageError(error.message) : error;
  }
}

function readSource(path: string, name = path): Pick<KernelTask, "file" | "source" | "folder"> {
  if (existsSync(path)) return { file: basename(path), source: readText(path), folder: dirname(resolve(path)) };
  if (kernelNames().includes(name)) return { file: `${name}.wgsl`, source: kernelText(name) };
  throw new UsageError(`${name}: no such file, and no built-in kernel of that name (acutance kernel list)`);
}

/**
 * Every point of the sweep, one without.
 * @throws UsageError when a constant is not used, a part is not found or an expression cannot be read
 */
export function pointsOf({ source, file, folder, description, capturePath }: KernelTask) {
  try {
    const found = folder === undefined ? enginePart : partIn(folder);
    const parts = capturePath ? new Map<string, string>() : partsOf(source, found, file);
    expectUsed(description, [source, ...parts.values()].join("\n"));
    return sweepPoints(description.sweep);
  } catch (error) {
    const usage = error instanceof KernelUsageError || error instanceof TemplateError;
    throw usage ? new UsageError(error.message) : error;
  }
}

/** The text of a kernel's file. Bytes that are none would only confuse the compiler. */
function readText(path: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw new UsageError(`${path} cannot be read: ${(error as Error).message}`);
  }
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new UsageError(`${path} is no WGSL: it is not UTF-8 text`);
  }
  if (text.includes("\0")) throw new UsageError(`${path} is no WGSL: it has bytes that no text has`);
  if (text.trim() === "") throw new UsageError(`${path} is empty: there is no kernel in it`);
  return text;
}

/** Exported for tests. */
export function readDescription(path: string): Table {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new UsageError(`${path} cannot be read: ${(error as Error).message}`);
  }
  if (extname(path) === ".toml") {
    try {
      return parseToml(text) as Table;
    } catch (error) {
      throw new UsageError(`${path}: ${(error as Error).message.trim()}`);
    }
  }
  const errors: ParseError[] = [];
  const value: unknown = parseJsonc(text, errors, { allowTrailingComma: true });
  const [first] = errors;
  if (first) {
    const before = text.slice(0, first.offset).split("\n");
    const place = `${before.length}:${before.at(-1)!.length + 1}`;
    throw new UsageError(`${path}:${place}: not JSON: ${printParseErrorCode(first.error)}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new UsageError(`${path}: expected an object with "buffers" and "grid"`);
  }
  return value as Table;
}

/** @throws UsageError that names each field that is not of its form. Exported for tests. */
export function parseDescription(value: Table, where: string): Description {
  const parsed = descriptionSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(issueText);
  throw new UsageError(`${where} does not describe a kernel run:\n${problems.join("\n")}`);
}

const hints: Readonly<Record<string, string>> = {
  grid: 'give the workgroups, such as --grid "ceil(N / 64)"',
  shape: "give the buffer's shape, such as --buffer x=M,K",
  buffers: "give the shape of every buffer, such as --buffer x=M,K",
};

function issueText({ path, message, input, ...issue }: z.core.$ZodIssue): string {
  const name = path.join(".");
  // Of a buffer's two forms the one with fields is meant where there are fields.
  const fields = issue.code === "invalid_union" ? issue.errors.at(-1)!.filter((field) => field.path.length > 0) : [];
  if (fields.length > 0)
    return fields.map((field) => issueText({ ...field, path: [...path, ...field.path] })).join("\n");
  const hint = input === undefined ? hints[name.replace(/^buffers\.\w+\.shape$/, "shape")] : undefined;
  return `  ${name || "(whole)"}: ${hint ? `missing; ${hint}` : message}`;
}

function merged(stored: Table, flags: DescriptionFlags): Table {
  const { entry, grid, flops, bytes, seed } = flags;
  const given = Object.fromEntries(
    Object.entries({ entry, grid, flops, bytes, seed }).filter(([, value]) => value !== undefined),
  );
  return {
    ...stored,
    ...given,
    ...both("constants", stored["constants"], flags.constant),
    ...both("params", stored["params"], flags.param),
    ...both("sweep", stored["sweep"], flags.sweep),
    ...both("buffers", stored["buffers"], mergedBuffers(stored["buffers"], flags)),
    ...both("reference", stored["reference"], mergedReference(stored["reference"], flags)),
  };
}

function both(name: string, stored: unknown, given: Table | undefined): Table {
  if (!given || Object.keys(given).length === 0) return {};
  return { [name]: { ...(stored as Table | undefined), ...given } };
}

function mergedBuffers(stored: unknown, { buffer = {}, type = {}, fill = {} }: DescriptionFlags): Table {
  const names = new Set([...Object.keys(buffer), ...Object.keys(type), ...Object.keys(fill)]);
  return Object.fromEntries(
    [...names].map((name) => {
      const before = (stored as Table | undefined)?.[name];
      const full =
        typeof before === "object" && !Array.isArray(before) ? before : before !== undefined && { shape: before };
      const now = { shape: buffer[name], type: type[name], fill: fill[name] };
      return [name, { ...full, ...Object.fromEntries(Object.entries(now).filter(([, value]) => value !== undefined)) }];
    }),
  );
}

function mergedReference(stored: unknown, { reference, map, option, tolerance }: DescriptionFlags): Table {
  const before = typeof stored === "object" ? (stored as Table) : undefined;
  return {
    ...(reference !== undefined && { operation: reference }),
    ...(map && { map: { ...(before?.["map"] as Table), ...map } }),
    ...(option && { options: { ...(before?.["options"] as Table), ...option } }),
    ...(tolerance !== undefined && { tolerance }),
  };
}
