import { BinaryReader, BinaryWriter, WireType } from "@bufbuild/protobuf/wire";

/** What a field of a message holds on the wire. */
type Kind = "string" | "bytes" | "int64" | "uint64" | "int32" | "float" | "double" | (() => Message);

interface Field {
  readonly name: string;
  readonly kind: Kind;
  readonly repeated: boolean;
}

/** A message by the numbers of its fields. */
export type Message = Readonly<Record<number, Field>>;

export function one(name: string, kind: Kind): Field {
  return { name, kind, repeated: false };
}

export function many(name: string, kind: Kind): Field {
  return { name, kind, repeated: true };
}

type Decoded = Record<string, unknown>;

/**
 * The object that some bytes hold: repeated fields are lists, single ones undefined where they are left out, 64-bit integers
 * bigints, bytes views of `bytes`. Fields that the message does not name are passed over.
 * @throws Error when the bytes are no message
 */
export function decode<T>(message: Message, bytes: Uint8Array): T {
  return read(message, new BinaryReader(bytes), bytes.length) as T;
}

function read(message: Message, reader: BinaryReader, end: number): Decoded {
  const result: Decoded = {};
  for (const { name, repeated } of Object.values(message)) if (repeated) result[name] = [];
  while (reader.pos < end) {
    const [number, wire] = reader.tag();
    const field = message[number];
    if (!field) {
      reader.skip(wire, number);
      continue;
    }
    const { name, kind } = field;
    const list = result[name] as unknown[] | undefined;
    if (!field.repeated) result[name] = value(kind, reader);
    else if (wire === WireType.LengthDelimited && isPackable(kind)) {
      const last = reader.uint32() + reader.pos;
      while (reader.pos < last) list!.push(value(kind, reader));
    } else list!.push(value(kind, reader));
  }
  if (reader.pos > end) throw new RangeError("a message ends in the middle of a field");
  return result;
}

function isPackable(kind: Kind): boolean {
  return typeof kind === "string" && kind !== "string" && kind !== "bytes";
}

function value(kind: Kind, reader: BinaryReader): unknown {
  if (typeof kind !== "string") {
    const length = reader.uint32();
    return read(kind(), reader, reader.pos + length);
  }
  // Where the platform has bigints, which is everywhere here, the reader gives them.
  return kind === "int64" || kind === "uint64" ? BigInt(reader[kind]()) : reader[kind]();
}

/** The bytes of an object as {@link decode} gives it. What is undefined or an empty list is left out. */
export function encode(message: Message, object: object): Uint8Array<ArrayBuffer> {
  const writer = new BinaryWriter();
  write(message, object as Decoded, writer);
  return writer.finish();
}

const wireTypes: Readonly<Record<string, WireType>> = {
  string: WireType.LengthDelimited,
  bytes: WireType.LengthDelimited,
  float: WireType.Bit32,
  double: WireType.Bit64,
};

function write(message: Message, object: Decoded, writer: BinaryWriter): void {
  for (const [number, { name, kind, repeated }] of Object.entries(message)) {
    const given = object[name];
    if (given === undefined) continue;
    const list = repeated ? (given as unknown[]) : [given];
    if (repeated && list.length > 0 && isPackable(kind)) {
      writer.tag(Number(number), WireType.LengthDelimited).fork();
      for (const each of list) put(kind, each, writer);
      writer.join();
      continue;
    }
    for (const each of list) {
      const wire = typeof kind === "string" ? (wireTypes[kind] ?? WireType.Varint) : WireType.LengthDelimited;
      writer.tag(Number(number), wire);
      put(kind, each, writer);
    }
  }
}

function put(kind: Kind, given: unknown, writer: BinaryWriter): void {
  if (typeof kind === "string") (writer[kind] as (each: unknown) => void).call(writer, given);
  else {
    writer.fork();
    write(kind(), given as Decoded, writer);
    writer.join();
  }
}
