import { ShapeError } from "../arguments.ts";
import type { Device } from "../device/device.ts";
import { GpuError } from "../device/errors.ts";
import { isWhole } from "../elements.ts";
import type { Grid, KernelArgument, Parameter } from "./argument.ts";
import { type CallCost, describeCall } from "./call.ts";
import { firstGroup, partsOfGrid } from "./cut.ts";
import { type KernelSource, specialise } from "./source.ts";
import { parameterBytes } from "./stream.ts";
import type { Constants } from "./template.ts";

/** A kernel to be compiled and the layout of its bind group. */
export interface AheadKernel {
  readonly source: KernelSource;
  readonly layout: GPUBindGroupLayoutDescriptor;
}

export type CompileAhead = (kernels: readonly AheadKernel[]) => Promise<void>;

interface Pipeline {
  readonly source: KernelSource;
  readonly pipeline: GPUComputePipeline;
  readonly layout: Layout;
  /** Its first call is yet to come. */
  cold: boolean;
  /** Why the adapter refused it. */
  failure?: GpuError;
}

/** What is asked of a kernel once. */
interface KernelCall {
  readonly name: string;
  readonly constants: Constants;
  readonly bindings: Readonly<Record<string, KernelArgument>>;
  readonly parameters: Readonly<Record<string, Parameter>>;
  readonly grid: Grid;
  readonly cost: CallCost | undefined;
}

/** What makes a kernel another one. */
interface Wanted {
  readonly name: string;
  readonly constants: Constants;
  readonly halves: readonly string[];
  readonly textures: readonly string[];
  readonly cut: boolean;
}

/** A layout of bind groups, with its number. */
interface Layout {
  readonly gpu: GPUBindGroupLayout;
  readonly id: number;
}

/**
 * Bind groups in a generation, of which two are kept. Software drivers map memory for each, and a process has a limit of mappings
 * (65,530 on Linux), beyond which they crash.
 */
const generation = 1024;

/** Turns kernel files into pipelines and calls of them into recorded dispatches. Pipelines and bind groups are cached. */
export class Dispatcher {
  readonly #device: Device;
  readonly #pipelines = new Map<string, Pipeline>();
  /** Bind groups used of late, and those that were before. */
  #groups = new Map<string, GPUBindGroup>();
  #olderGroups = new Map<string, GPUBindGroup>();
  readonly #layouts = new Map<string, Layout>();
  readonly #bufferIds = new WeakMap<GPUBuffer, number>();
  #nextBuffer = 0;
  /** What a rehearsal calls, while somebody wants to know. */
  #wanted: Map<string, Wanted> | undefined;
  /** How kernels are compiled ahead where that is not done by making their pipelines. */
  ahead: CompileAhead | undefined;

  constructor(device: Device) {
    this.#device = device;
  }

  /** What is kept for further calls. */
  get cached(): { readonly pipelines: number; readonly bindGroups: number } {
    return { pipelines: this.#pipelines.size, bindGroups: this.#groups.size + this.#olderGroups.size };
  }

  /**
   * Records one call of a kernel. A grid with more workgroups along an axis than the adapter takes is made in parts; one without
   * workgroups is nothing to record.
   * @param name path below `shaders/` without `.wgsl`
   * @param constants what the file is specialised with
   * @param bindings one argument for every storage variable of the file, by its name there
   * @param parameters one number for every field of its `struct Params`
   * @param cost what the call does at least, for profiles
   */
  run(
    name: string,
    constants: Constants,
    bindings: Readonly<Record<string, KernelArgument>>,
    parameters: Readonly<Record<string, Parameter>>,
    grid: Grid,
    cost?: CallCost,
  ): void {
    const device = this.#device;
    device.check();
    const limit = device.mostWorkgroups;
    let cut = false;
    for (const extent of grid) {
      if (!(Number.isInteger(extent) && extent >= 0))
        throw new GpuError(`${name}: grid ${grid.join(" x ")} is not of whole numbers of at least 0`);
      cut ||= extent > limit;
    }
    if (grid.includes(0)) return;
    if (device.stream.silent) {
      this.#wanted?.set(keyOf(name, constants, bindings, cut), wantedKernel(name, constants, bindings, cut));
      return;
    }
    const kernel = this.#pipeline(name, constants, bindings, cut);
    if (kernel.failure) throw kernel.failure;
    const call: KernelCall = { name, constants, bindings, parameters, grid, cost };
    if (!cut) {
      this.#record(kernel, call);
      return;
    }
    const groups = grid[0] * grid[1] * grid[2];
    for (const part of partsOfGrid(grid, limit)) {
      const share = (part.grid[0] * part.grid[1] * part.grid[2]) / groups;
      const own: Record<string, Parameter> = { ...parameters };
      firstGroup.forEach((field, axis) => {
        own[field] = part.first[axis]!;
      });
      this.#record(kernel, { ...call, parameters: own, grid: part.grid, cost: shareOf(cost, share) });
    }
  }

  #record(kernel: Pipeline, { name, constants, bindings, parameters, grid, cost }: KernelCall): void {
    const device = this.#device;
    const { stream } = device;
    const { observer, recorder } = stream;
    const start = observer ? performance.now() : 0;
    const args = kernel.source.bindings.map((slot) => {
      const argument = bindings[slot.name];
      if (!argument) throw new GpuError(`${name}: no argument for "${slot.name}"`);
      // What operations look at before; here also for kernels that are called without one.
      if (argument.device !== device) throw new ShapeError(`${name}: "${slot.name}" lies on another device`);
      if (slot.isFloat && isWhole(argument.dtype))
        throw new ShapeError(`${name}: "${slot.name}" takes floating-point elements, found ${argument.dtype}`);
      return argument;
    });
    const group = this.#group(kernel, args);
    const used = args.map((argument) => argument.allocation);
    args.forEach(({ texture, allocation, offsetBytes, sizeBytes }, i) => {
      if (texture) stream.show(i, allocation, offsetBytes, sizeBytes);
    });
    const write = (view: DataView) => pack(kernel.source, parameters, view);
    const call =
      observer || recorder
        ? describeCall(name, kernel.source, constants, args, grid, cost, stream.labels.current)
        : undefined;
    const written = stream.dispatch(kernel.pipeline, group, used, grid, write, call, kernel.cold);
    kernel.cold = false;
    observer?.encoded(performance.now() - start);
    if (!recorder) return;
    const vary = Object.values(parameters).some((value) => typeof value === "function");
    const bind = (buffer: GPUBuffer) => this.#bind(kernel, args, buffer);
    recorder.dispatch(
      { kind: "dispatch", pipeline: kernel.pipeline, bind, grid, call: call! },
      used,
      written,
      vary ? write : undefined,
    );
  }

  /**
   * Compiles, at the same time, the kernels that a rehearsal calls and that are not there yet. One that the adapter refuses is left for
   * its first call to find out.
   */
  prepare(rehearse: () => void): Promise<void> {
    const wanted = new Map<string, Wanted>();
    this.#wanted = wanted;
    try {
      rehearse();
    } finally {
      this.#wanted = undefined;
    }
    return this.#compileAhead([...wanted].filter(([key]) => !this.#pipelines.has(key)));
  }

  async #compileAhead(kernels: readonly (readonly [key: string, Wanted])[]): Promise<void> {
    if (kernels.length === 0) return;
    if (this.ahead) {
      const sources = kernels.map(([, kernel]) => sourceOf(kernel));
      return this.ahead(sources.map((source) => ({ source, layout: layoutOf(source) })));
    }
    await Promise.all(
      kernels.map(async ([key, kernel]) => {
        const { layout, source, descriptor } = this.#described(kernel);
        const pipeline = await this.#device.gpu.createComputePipelineAsync(descriptor).catch(() => undefined);
        if (pipeline && !this.#pipelines.has(key)) this.#pipelines.set(key, { source, pipeline, layout, cold: true });
      }),
    );
  }

  #pipeline(
    name: string,
    constants: Constants,
    bindings: Readonly<Record<string, KernelArgument>>,
    cut: boolean,
  ): Pipeline {
    const key = keyOf(name, constants, bindings, cut);
    let kernel = this.#pipelines.get(key);
    if (!kernel) {
      kernel = this.#compile(wantedKernel(name, constants, bindings, cut));
      this.#pipelines.set(key, kernel);
    }
    return kernel;
  }

  #compile(wanted: Wanted): Pipeline {
    const { gpu } = this.#device;
    gpu.pushErrorScope("validation");
    const { source, layout, descriptor } = this.#described(wanted);
    const compiled: Pipeline = { source, pipeline: gpu.createComputePipeline(descriptor), layout, cold: true };
    gpu.popErrorScope().then(
      (error) => {
        if (!error) return;
        const { name, constants, halves } = wanted;
        const failure = new GpuError(`kernel ${name} (${JSON.stringify({ ...constants, halves })}): ${error.message}`);
        compiled.failure = failure;
        this.#device.fail(failure, true);
      },
      () => {}, // the device went away; its own loss is reported
    );
    return compiled;
  }

  #described(wanted: Wanted) {
    const { gpu } = this.#device;
    const { name } = wanted;
    const source = sourceOf(wanted);
    const layout = this.#layout(source);
    const descriptor = {
      label: name,
      layout: gpu.createPipelineLayout({ bindGroupLayouts: [layout.gpu] }),
      compute: { module: gpu.createShaderModule({ label: name, code: source.wgsl }), entryPoint: "main" },
    };
    return { source, layout, descriptor };
  }

  /** Makes the bind groups anew: some may be of buffers that the device refused. */
  forgetGroups(): void {
    this.#groups.clear();
    this.#olderGroups.clear();
  }

  #layout(source: KernelSource): Layout {
    const key = source.bindings
      .map((slot) => `${slot.binding}${slot.texture ? "t" : slot.writable ? "w" : "r"}`)
      .join();
    let layout = this.#layouts.get(key);
    if (!layout) {
      const gpu = this.#device.gpu.createBindGroupLayout(layoutOf(source));
      layout = { gpu, id: this.#layouts.size };
      this.#layouts.set(key, layout);
    }
    return layout;
  }

  #group(kernel: Pipeline, args: readonly KernelArgument[]): GPUBindGroup {
    let key = `${kernel.layout.id}`;
    args.forEach(({ texture, allocation, offsetBytes, sizeBytes }, i) => {
      key += texture
        ? `|${this.#device.stream.textures.at(i, sizeBytes).name}`
        : `|${this.#bufferId(allocation.buffer)}:${offsetBytes}:${sizeBytes}`;
    });
    const known = this.#groups.get(key);
    if (known) return known;
    const group = this.#olderGroups.get(key) ?? this.#bind(kernel, args, this.#device.stream.parameters);
    if (this.#groups.size >= generation) {
      this.#olderGroups = this.#groups;
      this.#groups = new Map();
    }
    this.#groups.set(key, group);
    return group;
  }

  #bind({ source, layout }: Pipeline, args: readonly KernelArgument[], parameters: GPUBuffer): GPUBindGroup {
    return this.#device.gpu.createBindGroup({
      layout: layout.gpu,
      entries: [
        ...args.map(({ texture, allocation, offsetBytes, sizeBytes }, i) => ({
          binding: source.bindings[i]!.binding,
          resource: texture
            ? this.#device.stream.textures.at(i, sizeBytes).view
            : { buffer: allocation.buffer, offset: offsetBytes, size: sizeBytes },
        })),
        { binding: source.parameterBinding, resource: { buffer: parameters, size: parameterBytes } },
      ],
    });
  }

  #bufferId(buffer: GPUBuffer): number {
    let id = this.#bufferIds.get(buffer);
    if (id === undefined) {
      id = this.#nextBuffer++;
      this.#bufferIds.set(buffer, id);
    }
    return id;
  }
}

/** Tells kernels apart. */
function keyOf(
  name: string,
  constants: Constants,
  bindings: Readonly<Record<string, KernelArgument>>,
  cut: boolean,
): string {
  let key = cut ? `${name}|part` : name;
  for (const constant in constants) key += `|${constant}=${constants[constant]}`;
  for (const binding in bindings) {
    const { dtype, texture } = bindings[binding]!;
    if (dtype === "f16") key += `|${binding}`;
    if (texture) key += `|${binding} as texture`;
  }
  return key;
}

function wantedKernel(
  name: string,
  constants: Constants,
  bindings: Readonly<Record<string, KernelArgument>>,
  cut: boolean,
): Wanted {
  const names = Object.keys(bindings);
  const halves = names.filter((binding) => bindings[binding]!.dtype === "f16");
  const textures = names.filter((binding) => bindings[binding]!.texture);
  return { name, constants, halves, textures, cut };
}

function sourceOf({ name, constants, halves, cut, textures }: Wanted): KernelSource {
  const source = specialise(name, constants, halves, cut, textures);
  if (source.parameters.length * 4 > parameterBytes)
    throw new GpuError(`${name}: Params is larger than ${parameterBytes} bytes`);
  return source;
}

function layoutOf({ bindings, parameterBinding }: KernelSource): GPUBindGroupLayoutDescriptor {
  return {
    entries: [
      ...bindings.map(({ binding, writable, texture }) => ({
        binding,
        visibility: 4,
        ...(texture
          ? { texture: { sampleType: "uint" as const } }
          : { buffer: { type: writable ? ("storage" as const) : ("read-only-storage" as const) } }),
      })),
      { binding: parameterBinding, visibility: 4, buffer: { type: "uniform", hasDynamicOffset: true } },
    ],
  };
}

/** The cost of a part of a call. */
function shareOf(cost: CallCost | undefined, share: number): CallCost | undefined {
  if (!cost) return undefined;
  const { flops, bytes } = cost;
  return {
    ...cost,
    ...(flops !== undefined && { flops: flops * share }),
    ...(bytes !== undefined && { bytes: bytes * share }),
  };
}

function pack(source: KernelSource, parameters: Readonly<Record<string, Parameter>>, view: DataView): void {
  let at = 0;
  for (const { name, type } of source.parameters) {
    const given = parameters[name];
    const value = typeof given === "function" ? given() : given;
    if (value === undefined || Number.isNaN(value)) {
      throw new GpuError(`${source.file}: parameter "${name}" is ${value === undefined ? "missing" : "not a number"}`);
    }
    if (type === "f32") view.setFloat32(at, value, true);
    else if (type === "i32") view.setInt32(at, value, true);
    else view.setUint32(at, value, true);
    at += 4;
  }
}
