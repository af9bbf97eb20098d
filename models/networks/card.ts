import { z } from "zod";
import { checked, FileError, jsonOf } from "../../engine/weights/files.ts";
import { SafetensorsError, type SafetensorsFile } from "../../engine/weights/safetensors.ts";
import type { MosRange } from "../data/index.ts";
import { type HeadName, headNames } from "./heads.ts";
import { type ModelOptions, modelOptions, partedOptions, shownSide } from "./options.ts";

/** What a weights file says about its model, beside the tensors. */
export interface ModelCard<Options extends ModelOptions = ModelOptions> {
  /** How it was trained: what {@link ModelOptions} says of the model, and the options of its method beside. */
  readonly options: Options;
  /** Title of the method that trained it. */
  readonly method?: string;
  /** Ends of the score scale: the lowest quality first. */
  readonly range: MosRange;
  /** Sentences on how it came about: start weights, data, split, stages done. */
  readonly history: readonly string[];
  /** Parameters that did not start from given weights; they learn at `freshRate`. */
  readonly fresh: readonly string[];
  /** Names the training that made it, as its split and record do; absent in models of earlier versions. */
  readonly run?: string;
}

const format = "acutance-2";
/** Of models whose options and those of their method are in one text. */
const firstFormat = "acutance-cpl";

/** The card as the text entries of a safetensors header. */
export function cardMetadata(frozenNorms: readonly string[], card: ModelCard): Record<string, string> {
  const { model, method } = partedOptions(card.options);
  const { head, ...rest } = model;
  return {
    format,
    network: String(head),
    ...(card.method !== undefined && { method: card.method }),
    options: JSON.stringify(rest),
    method_options: JSON.stringify(method),
    score_range: JSON.stringify(card.range),
    score_direction: "higher is better",
    input: inputOf(card.options),
    history: JSON.stringify(card.history),
    fresh: JSON.stringify(card.fresh),
    frozen_norms: JSON.stringify(frozenNorms),
    ...(card.run !== undefined && { run: card.run }),
  };
}

function inputOf(options: ModelOptions): string {
  const { crop, cropFrom } = options;
  const side = shownSide(options);
  return `${crop}x${crop} of ${cropFrom === "resized" ? `${side}x${side}` : "the picture at its own size"}, RGB`;
}

/** Ends of a score scale. Beyond a million a scale is no scale of opinions, and its differences lose their digits. */
export const rangeSchema = z
  .tuple([z.number().min(-1e6).max(1e6), z.number().min(-1e6).max(1e6)])
  .refine(([low, high]) => low < high, "the low end comes first and lies below the high one");

/** The head by the name that a card has for it. @throws SafetensorsError when it is unknown */
function networkIn({ path }: SafetensorsFile, name: string): HeadName {
  const head = headNames.find((known) => known === name);
  if (head) return head;
  throw new SafetensorsError(
    `${path}: its network is a "${name}", known are ${headNames.join(", ")}; a later version of Acutance may be needed`,
  );
}

const texts = z.array(z.string().max(100_000)).max(100_000);

/** @throws SafetensorsError when the file was not written by `saveModel`, or a text of its card cannot be */
export function readCard(file: SafetensorsFile): ModelCard & { frozenNorms: string[] } {
  const text = (key: string) => {
    const value = file.metadata.get(key);
    if (value !== undefined) return value;
    throw new SafetensorsError(
      `${file.path}: its header has no "${key}"; a model trained by \`acutance train\` is needed`,
    );
  };
  const found = text("format");
  if (found !== format && found !== firstFormat)
    throw new SafetensorsError(`${file.path}: format "${found}", expected "${format}" or "${firstFormat}"`);
  const of = <Form>(key: string, form: z.ZodType<Form>): Form => {
    const source = `${file.path}: its ${key}`;
    return checked(jsonOf(text(key), source), source, form);
  };
  const optionsOf = (): ModelOptions => {
    const options = of("options", z.looseObject({}));
    const { model, method } =
      found === firstFormat
        ? partedOptions(options)
        : { model: options, method: of("method_options", z.looseObject({})) };
    const head = networkIn(file, found === firstFormat ? "distribution" : text("network"));
    if ("head" in model && model["head"] !== head)
      throw new SafetensorsError(
        `${file.path}: its card says network "${head}" and head ${JSON.stringify(model["head"])}`,
      );
    return { ...modelOptions({ ...model, head }), ...method };
  };
  try {
    return {
      options: optionsOf(),
      range: of("score_range", rangeSchema) as unknown as MosRange,
      history: of("history", texts),
      fresh: of("fresh", texts),
      frozenNorms: of("frozen_norms", texts),
      ...(file.metadata.has("method") && { method: text("method") }),
      ...(file.metadata.has("run") && { run: text("run") }),
    };
  } catch (cause) {
    if (cause instanceof SafetensorsError) throw cause;
    if (cause instanceof FileError) throw new SafetensorsError(cause.message, { cause });
    throw new SafetensorsError(`${file.path}: its card has ${(cause as Error).message}`, { cause });
  }
}
