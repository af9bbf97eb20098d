import { z } from "zod";
import { checked, FileError, jsonOf } from "../../engine/weights/files.ts";
import { SafetensorsError, type SafetensorsFile } from "../../engine/weights/safetensors.ts";
import type { MosRange } from "../data/index.ts";
import { type CplOptions, type CplOptionsInput, cplOptions } from "../methods/cpl/options.ts";

/** What a weights file says about its model, beside the tensors. */
export interface ModelCard {
  /** How it was trained. */
  readonly options: CplOptions;
  /** Ends of the score scale: the lowest quality first. */
  readonly range: MosRange;
  /** Sentences on how it came about: start weights, data, split, stages done. */
  readonly history: readonly string[];
  /** Parameters that did not start from given weights; they learn at `freshRate`. */
  readonly fresh: readonly string[];
  /** Names the training that made it, as its split and record do; absent in models of earlier versions. */
  readonly run?: string;
}

const format = "acutance-cpl";

/** The card as the text entries of a safetensors header. */
export function cardMetadata(frozenNorms: readonly string[], card: ModelCard): Record<string, string> {
  return {
    format,
    method: "CPL-IQA",
    options: JSON.stringify(card.options),
    score_range: JSON.stringify(card.range),
    score_direction: "higher is better",
    input: inputOf(card.options),
    history: JSON.stringify(card.history),
    fresh: JSON.stringify(card.fresh),
    frozen_norms: JSON.stringify(frozenNorms),
    ...(card.run !== undefined && { run: card.run }),
  };
}

function inputOf({ crop, resize, cropFrom }: CplOptions): string {
  return `${crop}x${crop} of ${cropFrom === "resized" ? `${resize}x${resize}` : "the picture at its own size"}, RGB`;
}

/** Ends of a score scale. Beyond a million a scale is no scale of opinions, and its differences lose their digits. */
export const rangeSchema = z
  .tuple([z.number().min(-1e6).max(1e6), z.number().min(-1e6).max(1e6)])
  .refine(([low, high]) => low < high, "the low end comes first and lies below the high one");

const texts = z.array(z.string().max(100_000)).max(100_000);

/** @throws SafetensorsError when the file was not written by `saveModel`, or a text of its card cannot be */
export function readCard(file: SafetensorsFile): ModelCard & { frozenNorms: string[] } {
  const text = (key: string) => {
    const value = file.metadata.get(key);
    if (value !== undefined) return value;
    throw new SafetensorsError(
      `${file.path}: its header has no "${key}"; a model trained by \`acutance train cpl\` is needed`,
    );
  };
  const found = text("format");
  if (found !== format) throw new SafetensorsError(`${file.path}: format "${found}", expected "${format}"`);
  const of = <Form>(key: string, form: z.ZodType<Form>): Form => {
    const source = `${file.path}: its ${key}`;
    return checked(jsonOf(text(key), source), source, form);
  };
  try {
    return {
      options: cplOptions(of("options", z.looseObject({})) as CplOptionsInput),
      range: of("score_range", rangeSchema) as unknown as MosRange,
      history: of("history", texts),
      fresh: of("fresh", texts),
      frozenNorms: of("frozen_norms", texts),
      ...(file.metadata.has("run") && { run: text("run") }),
    };
  } catch (cause) {
    if (cause instanceof SafetensorsError) throw cause;
    if (cause instanceof FileError) throw new SafetensorsError(cause.message, { cause });
    throw new SafetensorsError(`${file.path}: its card has ${(cause as Error).message}`, { cause });
  }
}
