import {
  brief,
  type KnownFunction,
  kindOf,
  type PickleContext,
  PickleEndError,
  PickleError,
  type PickleRules,
  Tuple,
  unread,
} from "./pickle-values.ts";

/** The longest pickle that is read; PyTorch's hold names and shapes only, some hundred bytes for each tensor. */
export const MAX_PICKLE_BYTES = 2 ** 26;
const MAX_STACK = 100_000;
const MAX_NESTED_MARKS = 1_000;
/** Containers, calls, memo entries and copied items together. */
const MAX_WORK = 2_000_000;

const empty = new Tuple([]);
const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The stack machine of Python's pickle (PEP 307, PEP 3154, `pickletools`), as far as data needs it. */
class Machine implements PickleContext {
  readonly #rules: PickleRules;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #stack: unknown[] = [];
  readonly #marks: number[] = [];
  readonly #memo = new Map<number, unknown>();
  #work = 0;
  #at: number;
  #opcode = { name: "", at: 0 };

  constructor(bytes: Uint8Array, start: number, rules: PickleRules) {
    this.#rules = rules;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#at = start;
  }

  run(): { value: unknown; end: number } {
    for (;;) {
      this.#opcode = { name: "opcode", at: this.#at };
      const code = this.u8();
      const operation = operations.get(code);
      if (!operation) this.fail(`0x${code.toString(16)} is no opcode of pickle`);
      const [name, run] = operation;
      this.#opcode.name = name;
      if (name === "STOP") return { value: this.pop(), end: this.#at };
      if (!run) this.fail("this opcode is not read; tensors need none of it");
      run(this);
    }
  }

  fail(what: string): never {
    throw new PickleError(`${this.#rules.source}: ${this.#opcode.name} at byte ${this.#opcode.at}: ${what}`);
  }

  spend(items: number): void {
    this.#work += items;
    if (this.#work > MAX_WORK) this.fail(`more than ${MAX_WORK} objects; no weights file needs them`);
  }

  /** The next bytes, not copied. */
  take(length: number): Uint8Array {
    if (length > this.#bytes.length - this.#at) {
      const { name, at } = this.#opcode;
      throw new PickleEndError(
        `${this.#rules.source}: ${name} at byte ${at} takes ${length} bytes, ${this.#bytes.length - this.#at} follow; ` +
          "the file is truncated or damaged",
      );
    }
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  #number(bytes: number, read: (view: DataView, at: number) => number): number {
    this.take(bytes);
    return read(this.#view, this.#at - bytes);
  }
  u8 = () => this.#number(1, (view, at) => view.getUint8(at));
  u16 = () => this.#number(2, (view, at) => view.getUint16(at, true));
  u32 = () => this.#number(4, (view, at) => view.getUint32(at, true));
  i32 = () => this.#number(4, (view, at) => view.getInt32(at, true));
  f64 = () => this.#number(8, (view, at) => view.getFloat64(at));
  /** Inexact from 2^53 on, which no length in a file reaches. */
  u64 = () => this.#number(8, (view, at) => Number(view.getBigUint64(at, true)));

  text(length: number): string {
    const bytes = this.take(length);
    try {
      return utf8.decode(bytes);
    } catch {
      return this.fail("the text is not UTF-8");
    }
  }

  line(): string {
    const end = this.#bytes.indexOf(10, this.#at);
    const text = this.text(end < 0 ? this.#bytes.length - this.#at + 1 : end - this.#at);
    this.#at++;
    return text;
  }

  /** A two's complement integer, little-endian. */
  integer(length: number): number | bigint {
    if (length > 255) this.fail(`an integer of ${length} bytes, more than the 255 allowed`);
    const value = BigInt.asIntN(
      8 * length,
      this.take(length).reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n),
    );
    return Number.isSafeInteger(Number(value)) ? Number(value) : value;
  }

  push(value: unknown): void {
    if (this.#stack.length >= MAX_STACK) this.fail(`more than ${MAX_STACK} values on the stack`);
    this.#stack.push(value);
  }

  /** A container or call result: such cost memory beyond the bytes that made them. */
  pushNew(value: unknown): void {
    this.spend(1);
    this.push(value);
  }

  pop(): unknown {
    if (this.#stack.length <= (this.#marks.at(-1) ?? 0)) this.fail("the stack is empty");
    return this.#stack.pop();
  }

  top(): unknown {
    const value = this.pop();
    this.#stack.push(value);
    return value;
  }

  popTuple(length: number): Tuple {
    const items = Array.from({ length }, () => this.pop());
    return new Tuple(items.reverse());
  }

  mark(): void {
    if (this.#marks.length >= MAX_NESTED_MARKS) this.fail(`nested deeper than ${MAX_NESTED_MARKS}`);
    this.#marks.push(this.#stack.length);
  }

  popMark(): unknown[] {
    const start = this.#marks.pop();
    if (start === undefined) return this.fail("there is no mark");
    return this.#stack.splice(start);
  }

  append(items: unknown[]): void {
    const list = this.top();
    if (!Array.isArray(list)) this.fail(`items for ${kindOf(list)}, expected a list`);
    for (const item of items) list.push(item);
  }

  setItems(items: unknown[]): void {
    const dict = this.top();
    if (!(dict instanceof Map)) this.fail(`items for ${kindOf(dict)}, expected a dict`);
    if (items.length % 2 !== 0) this.fail(`${items.length} keys and values are not pairs`);
    for (let i = 0; i < items.length; i += 2) dict.set(items[i], items[i + 1]);
  }

  store(index = this.#memo.size): void {
    this.spend(1);
    this.#memo.set(index, this.top());
  }

  recall(index: number): void {
    if (!this.#memo.has(index)) this.fail(`memo ${index} was never stored`);
    this.push(this.#memo.get(index));
  }

  global(module: unknown, name: unknown): void {
    if (typeof module !== "string" || typeof name !== "string") {
      this.fail(`a class is named by ${kindOf(module)} and ${kindOf(name)}, expected texts`);
    }
    const whole = `${module}.${name}`;
    const known = this.#rules.classes.get(whole);
    if (known === undefined) {
      this.fail(
        `class ${brief(whole)} is not known; no code of a pickle is run. In Python, save the weights alone with ` +
          "`torch.save(model.state_dict(), …)`, or convert them to safetensors",
      );
    }
    this.push(known);
  }

  reduce(): void {
    const args = this.pop();
    const known = this.pop();
    if (typeof known !== "function") this.fail(`${kindOf(known)} is called, expected a class`);
    if (!(args instanceof Tuple)) this.fail(`the arguments are ${kindOf(args)}, expected a tuple`);
    this.pushNew((known as KnownFunction)(args.items, this));
  }

  /** Attributes beside the items of a dict, such as `_metadata`, hold no weights. */
  build(): void {
    this.pop();
    const value = this.top();
    if (!(value instanceof Map) && value !== unread) this.fail(`attributes for ${kindOf(value)}, expected a dict`);
  }

  persistent(): void {
    const id = this.pop();
    const { persistent } = this.#rules;
    if (!persistent) this.fail("a persistent id, expected none here");
    if (!(id instanceof Tuple)) this.fail(`the persistent id is ${kindOf(id)}, expected a tuple`);
    this.pushNew(persistent(id.items, this));
  }
}

type Operation = readonly [name: string, run?: (machine: Machine) => void];

/** Every opcode of protocols 0 to 5. Those without an action need code, text protocols or buffers outside the file. */
const operations: ReadonlyMap<number, Operation> = new Map<number, Operation>([
  [0x28, ["MARK", (m) => m.mark()]],
  [0x29, ["EMPTY_TUPLE", (m) => m.push(empty)]],
  [0x2e, ["STOP"]],
  [0x30, ["POP", (m) => m.pop()]],
  [0x31, ["POP_MARK", (m) => m.popMark()]],
  [0x32, ["DUP", (m) => m.push(m.top())]],
  [0x42, ["BINBYTES", (m) => m.push(m.take(m.u32()))]],
  [0x43, ["SHORT_BINBYTES", (m) => m.push(m.take(m.u8()))]],
  [0x46, ["FLOAT"]],
  [0x47, ["BINFLOAT", (m) => m.push(m.f64())]],
  [0x49, ["INT"]],
  [0x4a, ["BININT", (m) => m.push(m.i32())]],
  [0x4b, ["BININT1", (m) => m.push(m.u8())]],
  [0x4c, ["LONG"]],
  [0x4d, ["BININT2", (m) => m.push(m.u16())]],
  [0x4e, ["NONE", (m) => m.push(null)]],
  [0x50, ["PERSID"]],
  [0x51, ["BINPERSID", (m) => m.persistent()]],
  [0x52, ["REDUCE", (m) => m.reduce()]],
  [0x53, ["STRING"]],
  [0x54, ["BINSTRING", (m) => m.push(m.text(m.u32()))]],
  [0x55, ["SHORT_BINSTRING", (m) => m.push(m.text(m.u8()))]],
  [0x56, ["UNICODE"]],
  [0x58, ["BINUNICODE", (m) => m.push(m.text(m.u32()))]],
  [0x5d, ["EMPTY_LIST", (m) => m.pushNew([])]],
  [0x61, ["APPEND", (m) => m.append([m.pop()])]],
  [0x62, ["BUILD", (m) => m.build()]],
  [0x63, ["GLOBAL", (m) => m.global(m.line(), m.line())]],
  [0x64, ["DICT", (m) => fillNew(m, new Map(), m.popMark(), "setItems")]],
  [0x65, ["APPENDS", (m) => m.append(m.popMark())]],
  [0x67, ["GET"]],
  [0x68, ["BINGET", (m) => m.recall(m.u8())]],
  [0x69, ["INST"]],
  [0x6a, ["LONG_BINGET", (m) => m.recall(m.u32())]],
  [0x6c, ["LIST", (m) => fillNew(m, [], m.popMark(), "append")]],
  [0x6f, ["OBJ"]],
  [0x70, ["PUT"]],
  [0x71, ["BINPUT", (m) => m.store(m.u8())]],
  [0x72, ["LONG_BINPUT", (m) => m.store(m.u32())]],
  [0x73, ["SETITEM", (m) => m.setItems([...m.popTuple(2).items])]],
  [0x74, ["TUPLE", (m) => m.pushNew(new Tuple(m.popMark()))]],
  [0x75, ["SETITEMS", (m) => m.setItems(m.popMark())]],
  [0x7d, ["EMPTY_DICT", (m) => m.pushNew(new Map())]],
  [0x80, ["PROTO", (m) => protocol(m, m.u8())]],
  [0x81, ["NEWOBJ"]],
  [0x82, ["EXT1"]],
  [0x83, ["EXT2"]],
  [0x84, ["EXT4"]],
  [0x85, ["TUPLE1", (m) => m.pushNew(m.popTuple(1))]],
  [0x86, ["TUPLE2", (m) => m.pushNew(m.popTuple(2))]],
  [0x87, ["TUPLE3", (m) => m.pushNew(m.popTuple(3))]],
  [0x88, ["NEWTRUE", (m) => m.push(true)]],
  [0x89, ["NEWFALSE", (m) => m.push(false)]],
  [0x8a, ["LONG1", (m) => m.push(m.integer(m.u8()))]],
  [0x8b, ["LONG4", (m) => m.push(m.integer(m.u32()))]],
  [0x8c, ["SHORT_BINUNICODE", (m) => m.push(m.text(m.u8()))]],
  [0x8d, ["BINUNICODE8", (m) => m.push(m.text(m.u64()))]],
  [0x8e, ["BINBYTES8", (m) => m.push(m.take(m.u64()))]],
  [0x8f, ["EMPTY_SET"]],
  [0x90, ["ADDITEMS"]],
  [0x91, ["FROZENSET"]],
  [0x92, ["NEWOBJ_EX"]],
  [0x93, ["STACK_GLOBAL", (m) => m.global(...(m.popTuple(2).items as [unknown, unknown]))]],
  [0x94, ["MEMOIZE", (m) => m.store()]],
  [0x95, ["FRAME", (m) => m.u64()]],
  [0x96, ["BYTEARRAY8"]],
  [0x97, ["NEXT_BUFFER"]],
  [0x98, ["READONLY_BUFFER"]],
]);

function protocol(machine: Machine, version: number): void {
  if (version > 5) machine.fail(`protocol ${version}, expected at most 5`);
}

function fillNew(machine: Machine, container: unknown, items: unknown[], fill: "append" | "setItems"): void {
  machine.pushNew(container);
  machine[fill](items);
}

/**
 * Reads one pickle as data. Nothing in it can run code: classes and functions are looked up by name among `classes`,
 * and everything else is refused. Time and memory grow at most with the length of the pickle.
 * @param bytes holds the pickle from `start` on, and may hold more
 * @returns the value, and the position after the pickle
 * @throws PickleEndError when the bytes end before the pickle does; PickleError for anything else that is wrong
 */
export function unpickle(bytes: Uint8Array, start: number, rules: PickleRules): { value: unknown; end: number } {
  return new Machine(bytes, start, rules).run();
}
