import type { z } from "zod";
import { digestKey, withDigest } from "../../engine/weights/digest.ts";
import { checked, FileError, jsonOf } from "../../engine/weights/files.ts";
import {
  openSafetensors,
  SafetensorsError,
  type SafetensorsFile,
  type TensorToStore,
  writeSafetensors,
} from "../../engine/weights/safetensors.ts";
import { faultOf, toFloat32 } from "../../engine/weights/stored.ts";
import { type TrustFacts, trustKind } from "../trust/companion.ts";
import type { Companion, CompanionKind, NetworkSizes } from "../trust/companion-kind.ts";
import { type ReferenceFacts, referenceKind } from "../trust/reference.ts";

/** The companions of a network by the names of their sections in its file; one that is not there is absent. */
export interface Companions {
  readonly trust?: Companion<TrustFacts>;
  readonly reference?: Companion<ReferenceFacts>;
}

type FactsOf<Kind> = Kind extends Companion<infer Facts> ? Facts : never;

const kinds: { readonly [Name in keyof Companions]-?: CompanionKind<FactsOf<Required<Companions>[Name]>> } = {
  trust: trustKind,
  reference: referenceKind,
};

type AnyKind = CompanionKind<object>;

const entries = Object.entries(kinds) as unknown as readonly (readonly [keyof Companions, AnyKind])[];

/** Whether what becomes of an answer needs the pooled feature beside it. */
export function readFeatures(companions: Companions): boolean {
  return entries.some(([name, { readsFeature }]) => {
    const companion = companions[name];
    return companion !== undefined && readsFeature(companion.facts);
  });
}

/** What a file has of companions: an entry of text and tensors for each, both under its name. */
export function storedCompanions(companions: Companions): {
  readonly texts: Readonly<Record<string, string>>;
  readonly tensors: readonly TensorToStore[];
} {
  const there = entries.flatMap(([name]) => {
    const companion = companions[name];
    return companion ? [{ name, companion }] : [];
  });
  return {
    texts: Object.fromEntries(there.map(({ name, companion }) => [name, JSON.stringify(companion.facts)])),
    tensors: there.flatMap(({ name, companion }) =>
      Object.entries(companion.tensors).map(([own, { shape, data }]) => {
        return { name: `${name}.${own}`, dtype: "F32" as const, shape, data };
      }),
    ),
  };
}

/**
 * The companions in a file. Sections of later versions are not known and left alone.
 * @throws SafetensorsError naming the file when one is not what it should be, or does not fit the network
 */
export async function readCompanions(file: SafetensorsFile, sizes: NetworkSizes): Promise<Companions> {
  const found: Record<string, Companion> = {};
  for (const [name, kind] of entries) {
    const text = file.metadata.get(name);
    if (text !== undefined) found[name] = await readOne(file, { name, kind, text, sizes });
  }
  return found as Companions;
}

interface Reading {
  readonly name: string;
  readonly kind: AnyKind;
  readonly text: string;
  readonly sizes: NetworkSizes;
}

async function readOne(file: SafetensorsFile, { name, kind, text, sizes }: Reading): Promise<Companion> {
  const facts = factsOf(file.path, name, kind.form, text);
  const fault = kind.fault?.(facts, sizes);
  if (fault !== undefined) throw new SafetensorsError(`${file.path}: its ${name}: ${fault}`);
  const tensors: Record<string, Companion["tensors"][string]> = {};
  for (const [own, shape] of Object.entries(kind.shapes(facts, sizes))) {
    if (shape) tensors[own] = { shape, data: await numbersOf(file, `${name}.${own}`, shape) };
  }
  return { facts, tensors };
}

function factsOf(path: string, name: string, form: z.ZodType<object>, text: string): object {
  const source = `${path}: its ${name}`;
  try {
    return checked(jsonOf(text, source), source, form);
  } catch (cause) {
    if (cause instanceof FileError) throw new SafetensorsError(cause.message, { cause });
    throw cause;
  }
}

async function numbersOf(file: SafetensorsFile, name: string, shape: readonly number[]): Promise<Float32Array> {
  const info = file.tensors.get(name);
  if (!info) throw new SafetensorsError(`${file.path} has no tensor "${name}", which its header tells of`);
  if (info.shape.join() !== shape.join())
    throw new SafetensorsError(
      `${file.path}: tensor "${name}" is [${info.shape.join(", ")}], expected [${shape.join(", ")}]`,
    );
  const stored = await file.read(name);
  const fault = faultOf(stored);
  if (fault) throw new SafetensorsError(`${file.path}: ${fault}: the file is damaged`);
  return toFloat32(stored);
}

/**
 * Writes a model's file again with other companions; its card and its tensors stay as they are, bit for bit.
 * @param from a file that was opened as a model
 * @throws SafetensorsError when it cannot be read or written
 */
export async function writeCompanions(from: string, to: string, companions: Companions): Promise<void> {
  await using file = await openSafetensors(from);
  const isOfCompanion = (name: string) => entries.some(([own]) => name === own || name.startsWith(`${own}.`));
  const tensors: TensorToStore[] = [];
  for (const name of file.tensors.keys()) {
    if (isOfCompanion(name)) continue;
    const { dtype, shape, bytes } = await file.read(name);
    tensors.push({ name, dtype, shape, data: bytes });
  }
  const texts = [...file.metadata].filter(([key]) => key !== digestKey && !isOfCompanion(key));
  const beside = storedCompanions(companions);
  const all = [...tensors, ...beside.tensors];
  await writeSafetensors(to, all, withDigest(all, { ...Object.fromEntries(texts), ...beside.texts }));
}
