import type { BoundEntry, Shared } from "./device.ts";
import { readShader } from "./interface.ts";
import { bufferOwner, textureBytes } from "./memory.ts";
import { quietly, type Wrapper } from "./methods.ts";

const timestamps = "timestamp-query";
/** Bits of usages that a capture must be able to copy, and that of copying: of buffers uniform, storage, indirect; of textures bindings. */
const keptBuffers = { bits: 0x40 | 0x80 | 0x100, copySource: 4 };
const keptTextures = { bits: 4 | 8, copySource: 1 };

type Stage = "compute" | "render";
type Call = (args: readonly unknown[]) => unknown;

/** Told of what a device has made. */
export interface Made {
  buffer(buffer: GPUBuffer): void;
  texture(texture: object): void;
}

/** Modules of a program, and bindings with dynamic offsets by layout. */
interface Seen {
  readonly modules: WeakMap<object, { readonly id: number; readonly code: string }>;
  readonly dynamic: WeakMap<object, ReadonlySet<number>>;
}

/** Stands around the methods of a device that make something. */
export function resourceMethods(shared: Shared, made: Made): Record<string, Wrapper> {
  const seen: Seen = { modules: new WeakMap(), dynamic: new WeakMap() };
  return { ...pipelineMethods(shared, seen), ...groupMethods(shared, seen), ...memoryMethods(shared, made) };
}

function pipelineMethods(shared: Shared, { modules }: Seen): Record<string, Wrapper> {
  const { recorder, pipelines } = shared;
  const keep = (stage: Stage, descriptor: unknown, pipeline: object): object => {
    const {
      label = "",
      compute,
      vertex,
    } = descriptor as Partial<GPUComputePipelineDescriptor & GPURenderPipelineDescriptor>;
    const { module, entryPoint: given, constants = {} } = (compute ?? vertex)!;
    const known = modules.get(module);
    const entryPoint = given ?? (stage === "compute" ? readShader(known?.code ?? "").only : undefined) ?? "";
    const id = recorder.nextId();
    const name = label || quietly(() => module.label) || entryPoint || "shader";
    pipelines.set(pipeline, { id, name, used: false });
    const numbers = Object.fromEntries(Object.entries(constants).map(([key, value]) => [key, Number(value)]));
    const record = { id, label, module: known?.id ?? -1, entryPoint, constants: numbers, stage };
    recorder.write({ kind: "pipeline", ...record });
    return pipeline;
  };
  const now = (stage: Stage): Wrapper => {
    return (_, args, call) => keep(stage, args[0], call(args) as object);
  };
  const later = (stage: Stage): Wrapper => {
    return (_, args, call) => (call(args) as Promise<object>).then((pipeline) => keep(stage, args[0], pipeline));
  };
  return {
    createShaderModule: (_, args, call) => {
      const module = call(args) as object;
      const { code, label = "" } = args[0] as GPUShaderModuleDescriptor;
      const id = recorder.nextId();
      modules.set(module, { id, code: String(code) });
      recorder.write({ kind: "module", id, label, wgsl: String(code) });
      return module;
    },
    createComputePipeline: now("compute"),
    createComputePipelineAsync: later("compute"),
    createRenderPipeline: now("render"),
    createRenderPipelineAsync: later("render"),
  };
}

function groupMethods({ groups, views, samplers }: Shared, { dynamic }: Seen): Record<string, Wrapper> {
  return {
    createSampler: (_, args, call) => {
      const sampler = call(args) as object;
      samplers.set(sampler, { ...(args[0] as GPUSamplerDescriptor | undefined) });
      return sampler;
    },
    createBindGroupLayout: (_, args, call) => {
      const layout = call(args) as object;
      const entries = [...(args[0] as GPUBindGroupLayoutDescriptor).entries];
      const moving = entries.filter(({ buffer }) => buffer?.hasDynamicOffset);
      if (moving.length > 0) dynamic.set(layout, new Set(moving.map(({ binding }) => binding)));
      return layout;
    },
    createBindGroup: (_, args, call) => {
      const group = call(args) as object;
      const { entries, layout } = args[0] as GPUBindGroupDescriptor;
      const moving = dynamic.get(layout);
      const bound = [...entries].map((entry) => {
        const { resource } = entry as { resource: object };
        const found = boundEntry(entry, moving?.has(entry.binding) ?? false);
        return { ...found, view: views.get(resource), sampler: samplers.get(resource) };
      });
      groups.set(
        group,
        bound.sort((a, b) => a.binding - b.binding),
      );
      return group;
    },
  };
}

function memoryMethods({ memory, config }: Shared, made: Made): Record<string, Wrapper> {
  return {
    createBuffer: (_, args, call) => {
      const [descriptor] = args as [GPUBufferDescriptor];
      const buffer = (config.captures.length > 0 ? copyable(descriptor, keptBuffers, call) : call(args)) as GPUBuffer;
      memory.add(buffer, bufferOwner(descriptor.label, descriptor.usage), Number(descriptor.size));
      made.buffer(buffer);
      return buffer;
    },
    createTexture: (_, args, call) => {
      const descriptor = args[0] as GPUTextureDescriptor;
      const texture = (config.captures.length > 0 ? copyable(descriptor, keptTextures, call) : call(args)) as object;
      memory.add(texture, descriptor.label || "textures", textureBytes(descriptor));
      made.texture(texture);
      return texture;
    },
    createQuerySet: (self, args, call) => {
      const { type } = (args[0] ?? {}) as Partial<GPUQuerySetDescriptor>;
      // As it would be without what we have asked for.
      if (type === "timestamp" && !(self as GPUDevice).features.has(timestamps))
        throw new TypeError(`createQuerySet: type "timestamp" needs the feature "${timestamps}"`);
      return call(args);
    },
  };
}

/** A buffer or texture that a capture can copy, which does not show it. */
function copyable<Descriptor extends { usage: number }>(
  descriptor: Descriptor,
  { bits, copySource }: typeof keptBuffers,
  call: Call,
): unknown {
  const { usage } = descriptor;
  if ((usage & bits) === 0 || (usage & copySource) !== 0) return call([descriptor]);
  const made = call([{ ...descriptor, usage: usage | copySource }]) as object;
  Object.defineProperty(made, "usage", { value: usage, configurable: true });
  return made;
}

function boundEntry({ binding, resource }: GPUBindGroupEntry, dynamic: boolean): BoundEntry {
  const none = { binding, buffer: undefined, offset: 0, bytes: 0, dynamic };
  const given = resource as { buffer?: GPUBuffer; offset?: number; size?: number; mapState?: string };
  // A buffer may stand for itself.
  const buffer = given.buffer ?? (given.mapState === undefined ? undefined : (resource as GPUBuffer));
  if (!buffer) return { ...none, kind: resource?.constructor?.name ?? "resource" };
  const offset = given.buffer ? Number(given.offset ?? 0) : 0;
  const size = given.buffer ? given.size : undefined;
  return { ...none, kind: "buffer", buffer, offset, bytes: Number(size ?? buffer.size - offset) };
}
