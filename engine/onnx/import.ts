import type { Device } from "../device/device.ts";
import { readBytes } from "../weights/files.ts";
import { OnnxError, UnsupportedError } from "./errors.ts";
import { externalBytes } from "./external.ts";
import { type Graph, graphOf } from "./graph.ts";
import { OnnxModel } from "./model.ts";
import { decode } from "./protobuf.ts";
import { type ModelProto, modelMessage } from "./schema.ts";

/** Operator sets whose operators are known; older ones are read where operators did not change. */
const oldest = 1;

/**
 * Reads a model in the format of ONNX (opset 17 and newer; older ones where operators did not change since) and makes it ready
 * on a device: its operators run as operations of the engine, floats as f32, whole numbers on the host.
 * @param model a path, beside which lie files of external data, or the bytes of a model
 * @throws OnnxError for a damaged file; UnsupportedError that names every operator that is not here, with its count
 */
export async function importOnnx(model: string | Uint8Array, device: Device): Promise<OnnxModel> {
  const { graph, opset } = await readOnnx(model);
  return OnnxModel.of(device, graph, opset);
}

/** The graph of a model and the version of its operator set. */
export async function readOnnx(
  model: string | Uint8Array,
): Promise<{ graph: Graph; opset: number; proto: ModelProto }> {
  const bytes = typeof model === "string" ? await readBytes(model) : model;
  const whose = typeof model === "string" ? model : "the model";
  let proto: ModelProto;
  try {
    proto = decode<ModelProto>(modelMessage, bytes);
  } catch (error) {
    throw new OnnxError(`${whose} is no ONNX model, or damaged: ${(error as Error).message}`);
  }
  if (!proto.graph) throw new OnnxError(`${whose} is no ONNX model: it has no graph`);
  const own = proto.opsetImport.find(({ domain = "" }) => domain === "" || domain === "ai.onnx");
  const opset = Number(own?.version ?? 1n);
  if (opset < oldest)
    throw new UnsupportedError(`${whose} is made for operator set ${opset}; ${oldest} or newer is needed`);
  return {
    graph: graphOf(proto.graph, externalBytes(typeof model === "string" ? model : undefined)),
    opset,
    proto,
  };
}
