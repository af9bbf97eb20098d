import { type TracedWork, traceInto } from "../../engine/onnx/export.ts";
import { GraphWriter } from "../../engine/onnx/write.ts";
import { add } from "../../engine/ops/arithmetic.ts";
import { reshape } from "../../engine/ops/shape.ts";
import { scale } from "../../engine/ops/unary.ts";
import { Tensor } from "../../engine/tensor.ts";
import packageJson from "../../package.json" with { type: "json" };
import type { ModelCard, QualityNetwork } from "./model.ts";
import { shownSide } from "./options.ts";

/** What an exported model takes. */
export type OnnxInputKind = "picture" | "view";

/** A model in the format of ONNX. */
export interface OnnxFile {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** `picture` of any size, or `view`: what the preprocessing gives, where ONNX cannot say that. */
  readonly input: OnnxInputKind;
  /** One sentence on the input. */
  readonly description: string;
}

/**
 * Writes a model as ONNX (operator set 18), with `score` [1], on the range of its card, and `answer` [1, length], what its head
 * gives. Where the network sees the whole picture resized, the input is `picture`, uint8 [height, width, 3], sRGB, of any size,
 * and the graph resizes, crops and normalises it. Where scores are means over parts of a picture at its own size, it is `view`,
 * float32 [1, crop, crop, 3] in [0, 1]: cut the views, run each, and take the mean of their scores.
 */
export async function exportModel(model: QualityNetwork, { range, history }: ModelCard): Promise<OnnxFile> {
  const writer = new GraphWriter();
  const { crop, cropFrom, testCrops, testTiles } = model.options;
  const whole = cropFrom === "resized" && testCrops === 1 && testTiles === 0;
  const value = whole
    ? { value: resizedPicture(writer, shownSide(model.options), crop), asMaps: true }
    : { value: writer.input("view", "float32", [1, crop, crop, 3]) };
  const made = await traceInto(writer, model.device, scoring(model, range), { view: value });
  writer.nodes("Identity", [made["score"]!], ["score"]);
  writer.nodes("Identity", [made["answer"]!], ["answer"]);
  writer.output("score", "float32", [1]);
  writer.output("answer", "float32", [1, model.answerLength]);
  const description = whole
    ? 'input "picture": uint8 [height, width, 3], sRGB, of any size'
    : `input "view": float32 [1, ${crop}, ${crop}, 3] in [0, 1], sRGB, a part of the picture; its score is the mean of its views'`;
  const metadata = {
    score_range: JSON.stringify(range),
    score_direction: "higher is better",
    history: JSON.stringify(history),
  };
  const bytes = writer.bytes({ producer: "acutance", version: packageJson.version, description, metadata });
  return { bytes, input: whole ? "picture" : "view", description };
}

/** A view → its score on the range, and the answer of the head. */
function scoring(model: QualityNetwork, [low, high]: ModelCard["range"]): TracedWork {
  const { crop } = model.options;
  return {
    inputs: { view: [1, crop, crop, 3] },
    run: ({ view }) => {
      const { logits } = model.forward(view!, false);
      const share = scale(model.head.shares(logits), high - low);
      const score = add(share, Tensor.constant(model.device, [low], [1]));
      return { score: reshape(score, [1]), answer: model.head.answers(logits) };
    },
  };
}

/** The middle of a picture that is resized to a square, by Pillow's bilinear filter: values in [0, 1], [1, 3, crop, crop]. */
function resizedPicture(writer: GraphWriter, side: number, crop: number): string {
  const picture = writer.input("picture", "uint8", ["height", "width", 3]);
  const floats = writer.node("Cast", [picture], { to: 1 });
  const values = writer.node("Div", [floats, writer.constant("levels", "float32", [], [255])]);
  const channels = writer.node("Transpose", [values], { perm: [2, 0, 1] });
  const batch = writer.node("Unsqueeze", [channels, writer.integers([0], "axes")]);
  const sizes = writer.integers([1, 3, side, side], "sizes");
  const attributes = { mode: "linear", antialias: 1, coordinate_transformation_mode: "half_pixel" };
  const resized = writer.node("Resize", [batch, "", "", sizes], attributes);
  if (side === crop) return resized;
  const first = Math.floor((side - crop) / 2);
  const bounds = [first, first + crop].map((at) => writer.integers([at, at], "bounds"));
  return writer.node("Slice", [resized, ...bounds, writer.integers([2, 3], "axes")]);
}
