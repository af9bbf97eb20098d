import { z } from "zod";
import { checkDigest, withDigest } from "../../engine/weights/digest.ts";
import { checked, FileError, jsonOf } from "../../engine/weights/files.ts";
import {
  openSafetensors,
  SafetensorsError,
  type TensorToStore,
  writeSafetensors,
} from "../../engine/weights/safetensors.ts";
import { faultOf, toFloat32 } from "../../engine/weights/stored.ts";
import { classes, type ReasonHead } from "./head.ts";
import { statisticNames } from "./statistics/index.ts";

const format = "acutance-reasons-1";

const share = z.number().min(0).max(1);

const cardForm = z.strictObject({
  classes: z.tuple(classes.map((name) => z.literal(name)) as [z.ZodLiteral, ...z.ZodLiteral[]]),
  statistics: z.array(z.string()).length(statisticNames.length),
  hidden: z.int().min(1).max(4096),
  temperature: z.number().positive(),
  least: share,
  good: share,
});

/**
 * Writes a head; the file is whole or not there.
 * @param history sentences on how it came about
 * @throws the system's error when it cannot be written
 */
export async function saveReasons(path: string, head: ReasonHead, history: readonly string[]): Promise<void> {
  const { temperature, least, good } = head;
  const hidden = head.hidden.bias.length;
  const tensors: TensorToStore[] = Object.entries(tensorsOf(hidden)).map(([name, { shape, of }]) => ({
    ...{ name, dtype: "F32", shape, data: of(head) },
  }));
  const card = { classes, statistics: statisticNames, hidden, temperature, least, good };
  await writeSafetensors(
    path,
    tensors,
    withDigest(tensors, { format, reasons: JSON.stringify(card), history: JSON.stringify(history) }),
  );
}

/** Tensors of a file, and where a head has them. */
function tensorsOf(hidden: number) {
  const [inputs, outputs] = [statisticNames.length, classes.length];
  return {
    mean: { shape: [inputs], of: (head: ReasonHead) => head.mean },
    deviation: { shape: [inputs], of: (head: ReasonHead) => head.deviation },
    "hidden.weight": { shape: [hidden, inputs], of: (head: ReasonHead) => head.hidden.weight },
    "hidden.bias": { shape: [hidden], of: (head: ReasonHead) => head.hidden.bias },
    "output.weight": { shape: [outputs, hidden], of: (head: ReasonHead) => head.output.weight },
    "output.bias": { shape: [outputs], of: (head: ReasonHead) => head.output.bias },
  } as const;
}

/**
 * Reads a head that {@link saveReasons} wrote.
 * @throws SafetensorsError when the file is another, damaged, or of another version; FileError when it cannot be read
 */
export async function openReasons(path: string): Promise<ReasonHead> {
  await using file = await openSafetensors(path);
  if (file.metadata.get("format") !== format)
    throw new SafetensorsError(
      `${path} is no file of reasons: its format is "${file.metadata.get("format") ?? ""}", expected "${format}"; \`acutance reasons\` makes one`,
    );
  await checkDigest(file);
  const card = cardOf(path, file.metadata.get("reasons") ?? "");
  const shapes = tensorsOf(card.hidden);
  const read = async (name: keyof typeof shapes) => {
    const expected = shapes[name].shape.join(", ");
    const found = file.tensors.get(name)?.shape.join(", ");
    if (found !== expected)
      throw new SafetensorsError(`${path}: tensor "${name}" is [${found ?? "missing"}], expected [${expected}]`);
    const stored = await file.read(name);
    const fault = faultOf(stored);
    if (fault) throw new SafetensorsError(`${path}: ${fault}: the file is damaged`);
    return toFloat32(stored);
  };
  const { temperature, least, good } = card;
  const deviation = await read("deviation");
  if (!deviation.every((value) => value > 0))
    throw new SafetensorsError(`${path}: a deviation is not above 0: the file is damaged`);
  return {
    ...{ mean: await read("mean"), deviation, temperature, least, good },
    hidden: { weight: await read("hidden.weight"), bias: await read("hidden.bias") },
    output: { weight: await read("output.weight"), bias: await read("output.bias") },
  };
}

function cardOf(path: string, text: string): z.output<typeof cardForm> {
  const source = `${path}: its reasons`;
  try {
    const card = checked(jsonOf(text, source), source, cardForm);
    const other = card.statistics.findIndex((name, i) => name !== statisticNames[i]);
    if (other === -1) return card;
    throw new SafetensorsError(
      `${path} was made for other statistics: "${card.statistics[other]}" where this version has "${statisticNames[other]}"; make it again by \`acutance reasons\``,
    );
  } catch (cause) {
    if (cause instanceof FileError) throw new SafetensorsError(cause.message, { cause });
    throw cause;
  }
}
