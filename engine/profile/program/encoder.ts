import { ComputePass } from "./compute-pass.ts";
import { ProgramDevice } from "./device.ts";
import { EncoderState } from "./encoder-state.ts";
import { type Wrapper, wrapMethods } from "./methods.ts";
import { RenderPass } from "./render-pass.ts";

const encoders = new WeakMap<object, EncoderState>();

/** Wraps the class of an encoder and knows it from now on. */
export function watchEncoder(device: ProgramDevice, encoder: GPUCommandEncoder): void {
  encoders.set(encoder, new EncoderState(device, encoder));
  const { recorder } = device.shared;
  wrapMethods("GPUCommandEncoder", encoder, methods, recorder.timed);
}

const transfers = [
  "copyBufferToBuffer",
  "copyBufferToTexture",
  "copyTextureToBuffer",
  "copyTextureToTexture",
  "clearBuffer",
] as const;

const methods: Record<string, Wrapper> = {
  beginComputePass(self, args, call) {
    const state = encoders.get(self);
    return state ? ComputePass.begin(state, args[0] as GPUComputePassDescriptor | undefined, call) : call(args);
  },
  beginRenderPass(self, args, call) {
    const state = encoders.get(self);
    return state ? RenderPass.begin(state, args[0] as GPURenderPassDescriptor, call) : call(args);
  },
  pushDebugGroup(self, args, call) {
    encoders.get(self)?.debug.push(String(args[0]));
    return call(args);
  },
  popDebugGroup(self, args, call) {
    encoders.get(self)?.debug.pop();
    return call(args);
  },
  finish(self, args, call) {
    const state = encoders.get(self);
    // Of commands that are not valid nothing is resolved: the program shall see its own error.
    if (state && !state.isOpen) state.device.stamps?.resolve(state.encoder, state.chunks);
    const commands = call(args) as object;
    if (state) state.device.commands.set(commands, state);
    return commands;
  },
  ...Object.fromEntries(transfers.map((name) => [name, transfer(name)])),
};

function transfer(name: (typeof transfers)[number]): Wrapper {
  return (self, args, call) => {
    const state = encoders.get(self);
    if (!state || state.isOpen || !state.device.shared.config.split) return call(args);
    const { device } = state;
    const bytes = bytesOf(name, args);
    device.shared.recorder.moved(`GPUCommandEncoder.${name}`, bytes);
    const end = state.between();
    const result = call(args);
    const scope = ProgramDevice.scopeOf(state.debug);
    const row = { kind: "transfer", label: name, pipelines: [], grid: [0, 0, 0], bound: [], scope, works: 0 } as const;
    const work = device.work({ ...row, stack: device.shared.recorder.stackOf(), bytes }, false);
    end(state.add(work));
    return result;
  };
}

/** Bytes read or written; 0 where textures are moved. */
function bytesOf(name: (typeof transfers)[number], args: readonly unknown[]): number {
  const sizeOf = (buffer: unknown) => Number((buffer as { size?: number } | undefined)?.size ?? 0);
  if (name === "clearBuffer") return Number(args[2] ?? sizeOf(args[0]) - Number(args[1] ?? 0));
  if (name !== "copyBufferToBuffer") return 0;
  // The form without offsets, copyBufferToBuffer(from, to, size), is younger.
  const long = typeof args[1] === "number" || typeof args[1] === "bigint";
  const size = long ? (args[4] ?? sizeOf(args[0]) - Number(args[1])) : (args[2] ?? sizeOf(args[0]));
  return 2 * Number(size);
}
