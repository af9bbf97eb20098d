// Calls Vulkan by koffi: a pipeline is compiled and asked for its statistics and its assembly
// (VK_KHR_pipeline_executable_properties). Numbers are those of vulkan_core.h.
import { InspectError, InspectUsageError } from "./errors.ts";
import type { Spirv } from "./spirv.ts";
import { handleAt, type Koffi, NativeMemory, numberAt, textAt } from "./vulkan-memory.ts";

/** What the driver tells of a compiled kernel. */
export interface Executable {
  /** Device as its driver names it. */
  readonly device: string;
  /** Lanes of a wave (subgroup) that it was compiled for. */
  readonly wave: number;
  /** The driver's figures by the driver's names. */
  readonly statistics: Readonly<Record<string, number>>;
  /** Its code as text; of several texts the one that is called so, or the last. */
  readonly assembly: string;
}

export interface CompileRequest {
  readonly kernel: Spirv;
  readonly wave?: number;
  readonly figuresOnly?: boolean;
}

const extension = "VK_KHR_pipeline_executable_properties";
const type = {
  application: 0,
  instance: 1,
  queue: 2,
  device: 3,
  module: 16,
  stage: 18,
  pipeline: 29,
  pipelineLayout: 30,
  setLayout: 32,
  features2: 1000059000,
  features11: 49,
  features12: 51,
  features13: 53,
  properties2: 1000059001,
  properties13: 54,
  executableFeatures: 1000269000,
  pipelineInfo: 1000269001,
  executableProperties: 1000269002,
  executableInfo: 1000269003,
  statistic: 1000269004,
  representation: 1000269005,
  requiredWave: 1000225001,
} as const;
const captureStatistics = 0x40;
const captureTexts = 0x80;
const computeStage = 0x20;
const libraries: Readonly<Record<string, string>> = { win32: "vulkan-1.dll", darwin: "libvulkan.1.dylib" };

type Argument = ArrayBuffer | bigint | number | null | undefined;

/** The first Vulkan device that tells about its executables. */
export class VulkanCompiler {
  readonly device: string;
  /** Lanes that a wave may have, least and most. */
  readonly waves: readonly [number, number];
  readonly #koffi: Koffi;
  readonly #library: ReturnType<Koffi["load"]>;
  readonly #memory: NativeMemory;
  readonly #functions = new Map<string, (...words: unknown[]) => number>();
  /** Undefined until it is opened. */
  readonly #device: bigint | undefined;

  /** @throws InspectError without koffi, Vulkan, or a device that tells */
  static async open(): Promise<VulkanCompiler> {
    let koffi: Koffi;
    try {
      koffi = (await import("koffi")).default;
    } catch (error) {
      throw new InspectError(
        `the package koffi, which calls Vulkan, cannot be loaded (${(error as Error).message}); install it: npm install koffi (or bun add koffi)`,
      );
    }
    const name = libraries[process.platform] ?? "libvulkan.so.1";
    try {
      return new VulkanCompiler(koffi, koffi.load(name));
    } catch (error) {
      if (error instanceof InspectError) throw error;
      throw new InspectError(
        `Vulkan's loader ${name} cannot be loaded (${(error as Error).message}); install it: apt-get install libvulkan1`,
      );
    }
  }

  private constructor(koffi: Koffi, library: ReturnType<Koffi["load"]>) {
    this.#koffi = koffi;
    this.#library = library;
    this.#memory = new NativeMemory(koffi);
    const m = this.#memory;
    const application = m.struct(type.application, null, null, 0, null, 0, (1 << 22) | (3 << 12));
    const info = m.struct(type.instance, null, 0, application, 0, null, 0, null);
    const instance = this.#made("vkCreateInstance", info, null);
    const { physical, device } = this.#telling(instance);
    this.device = device;
    const properties13 = m.chained(type.properties13, 512, null);
    this.#call("vkGetPhysicalDeviceProperties2", physical, m.chained(type.properties2, 1024, properties13));
    this.waves = [numberAt(properties13, 16), numberAt(properties13, 20)];
    this.#device = this.#openDevice(physical);
  }

  /** The first physical device that has the extension. */
  #telling(instance: bigint): { physical: bigint; device: string } {
    const m = this.#memory;
    const seen: string[] = [];
    for (const physical of this.#listed("vkEnumeratePhysicalDevices", [instance], 8).map((at) => handleAt(...at))) {
      const properties = m.bytes(1024);
      this.#call("vkGetPhysicalDeviceProperties", physical, properties);
      const device = textAt(properties, 20);
      const extensions = this.#listed("vkEnumerateDeviceExtensionProperties", [physical, null], 260);
      if (extensions.some((at) => textAt(...at) === extension)) return { physical, device };
      seen.push(device);
    }
    throw new InspectError(
      seen.length === 0
        ? "Vulkan has no driver here"
        : `the driver of ${seen.join(", ")} does not tell what it makes of a kernel (${extension})`,
    );
  }

  /** With all features that there are. */
  #openDevice(physical: bigint): bigint {
    const m = this.#memory;
    let features = m.chained(type.executableFeatures, 24, null);
    for (const [kind, bytes] of [
      [type.features13, 80] as const,
      [type.features12, 208] as const,
      [type.features11, 64] as const,
    ])
      features = m.chained(kind, bytes, features);
    features = m.chained(type.features2, 240, features);
    this.#call("vkGetPhysicalDeviceFeatures2", physical, features);
    const queue = m.struct(type.queue, null, 0, 0, 1, m.bytes(4));
    const names = m.struct(m.pointer(extension));
    return this.#made(
      "vkCreateDevice",
      physical,
      m.struct(type.device, features, 0, 1, queue, 0, null, 1, names, null),
      null,
    );
  }

  /**
   * @param wave lanes of a wave; the driver's choice unless given
   * @param figuresOnly leaves the assembly out, which takes most of the time
   */
  compile(kernel: Spirv, wave?: number, figuresOnly = false): Executable {
    const m = this.#memory;
    if (wave !== undefined && (wave < this.waves[0] || wave > this.waves[1]))
      throw new InspectUsageError(
        `${this.device} has waves of ${[...new Set(this.waves)].join(" to ")} lanes, not of ${wave}`,
      );
    const code = Buffer.from(kernel.module, "base64");
    const module = this.#made(
      "vkCreateShaderModule",
      this.#device,
      m.struct(type.module, null, 0, BigInt(code.length), m.bytes(code)),
      null,
    );
    const required = wave === undefined ? null : m.struct(type.requiredWave, null, wave);
    const info = m.struct(
      ...[type.pipeline, null, figuresOnly ? captureStatistics : captureStatistics | captureTexts],
      // The stage, a struct within the struct, starts at a multiple of 8 bytes.
      ...[0, type.stage, 0, required, 0, computeStage, module, kernel.entryPoint, null],
      ...[this.#layout(kernel), 0n, 0xffffffff],
    );
    const pipeline = this.#made("vkCreateComputePipelines", this.#device, 0n, 1n, info, null);
    return this.#told(pipeline, figuresOnly);
  }

  #layout({ bindings }: Spirv): bigint {
    const m = this.#memory;
    const count = Math.max(0, ...bindings.map(({ set }) => set + 1));
    const sets = Array.from({ length: count }, (_, set) => {
      const own = bindings.filter((slot) => slot.set === set);
      const list = own.map(({ binding, kind }) => m.struct(binding, kind === "uniform" ? 6 : 7, 1, computeStage, 0n));
      const joined = m.bytes(Buffer.concat(list.map((entry) => Buffer.from(entry))));
      return this.#made(
        "vkCreateDescriptorSetLayout",
        this.#device,
        m.struct(type.setLayout, null, 0, own.length, joined),
        null,
      );
    });
    const info = m.struct(type.pipelineLayout, null, 0, count, count > 0 ? m.struct(...sets) : null, 0, null);
    return this.#made("vkCreatePipelineLayout", this.#device, info, null);
  }

  #told(pipeline: bigint, figuresOnly: boolean): Executable {
    const m = this.#memory;
    const infoOf = m.struct(type.pipelineInfo, null, pipeline);
    const [properties] = this.#listed(
      "vkGetPipelineExecutablePropertiesKHR",
      [this.#device, infoOf],
      536,
      type.executableProperties,
    );
    if (!properties) throw new Error(`${this.device} has no executable of it`);
    const executable = m.struct(type.executableInfo, null, pipeline, 0);
    const asked = [this.#device, executable];
    const statistics = Object.fromEntries(
      this.#listed("vkGetPipelineExecutableStatisticsKHR", asked, 544, type.statistic).map(([list, at]) => [
        textAt(list, at + 16),
        statisticAt(list, at),
      ]),
    );
    const assembly = figuresOnly ? "" : this.#assembly(asked);
    return { device: this.device, wave: numberAt(properties[0], 532), statistics, assembly };
  }

  /** Of a pipeline that was made to keep its texts: drivers may not survive the question about another. */
  #assembly(asked: readonly Argument[]): string {
    const m = this.#memory;
    const name = "vkGetPipelineExecutableInternalRepresentationsKHR";
    const found = this.#listed(name, asked, 552, type.representation);
    const texts = found.map(([list, at]) => {
      const text = m.bytes(Number(handleAt(list, at + 536)));
      new DataView(list).setBigUint64(at + 544, m.pointer(text), true);
      return text;
    });
    const [list] = found[0] ?? [];
    if (list) this.#call(name, ...asked, m.struct(found.length), list);
    const wanted = found.findIndex(([memory, at]) => textAt(memory, at + 16) === "Assembly");
    const text = texts.at(wanted);
    return text ? textAt(text, 0, text.byteLength) : "";
  }

  /** The elements of a list that Vulkan counts first and fills then, as buffer and place. */
  #listed(name: string, before: readonly Argument[], bytes: number, kind = 0): [ArrayBuffer, number][] {
    const count = this.#memory.bytes(8);
    this.#call(name, ...before, count, null);
    const length = numberAt(count);
    const list = this.#memory.array(length, bytes, kind);
    if (length > 0) this.#call(name, ...before, count, list);
    return Array.from({ length: numberAt(count) }, (_, i) => [list, i * bytes]);
  }

  /** Calls a function that writes a handle behind its last argument. @throws InspectError */
  #made(name: string, ...words: readonly Argument[]): bigint {
    const made = this.#memory.bytes(8);
    const result = this.#call(name, ...words, made);
    if (result === 0) return handleAt(made);
    const message = `${name} ended with ${result}${result === -9 ? " (no driver works)" : ""}`;
    throw this.#device === undefined ? new InspectError(message) : new Error(message);
  }

  #call(name: string, ...words: readonly Argument[]): number {
    let call = this.#functions.get(name);
    if (!call) {
      const parameters = words.map(() => "uint64_t");
      if (name.endsWith("KHR")) {
        const find = this.#library.func("vkGetDeviceProcAddr", "uint64_t", ["uint64_t", "uint64_t"]);
        const address = BigInt(find(this.#device, this.#memory.pointer(name)));
        const prototype = this.#koffi.proto("int", parameters);
        call = (...given) => this.#koffi.call(address, prototype, ...given);
      } else call = this.#library.func(name, "int", parameters);
      this.#functions.set(name, call);
    }
    return call(...words.map((word) => (typeof word === "object" ? this.#memory.pointer(word) : word)));
  }
}

/** A statistic by its format: a boolean, a whole number with or without sign, or a float. */
function statisticAt(list: ArrayBuffer, at: number): number {
  const view = new DataView(list);
  const format = view.getUint32(at + 528, true);
  if (format === 0) return view.getUint32(at + 536, true);
  if (format === 3) return view.getFloat64(at + 536, true);
  return Number(format === 1 ? view.getBigInt64(at + 536, true) : view.getBigUint64(at + 536, true));
}
