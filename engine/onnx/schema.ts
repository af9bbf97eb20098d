import { type Message, many, one } from "./protobuf.ts";

// The messages of the ONNX specification (onnx/onnx.proto) as far as they are read or written here.

export interface TensorProto {
  readonly dims: readonly bigint[];
  readonly dataType?: number;
  readonly floatData: readonly number[];
  readonly int32Data: readonly number[];
  readonly stringData: readonly Uint8Array[];
  readonly int64Data: readonly bigint[];
  readonly name?: string;
  readonly rawData?: Uint8Array;
  readonly doubleData: readonly number[];
  readonly uint64Data: readonly bigint[];
  readonly externalData: readonly { readonly key?: string; readonly value?: string }[];
  readonly dataLocation?: number;
}

export interface TypeProto {
  readonly tensorType?: {
    readonly elemType?: number;
    readonly shape?: { readonly dim: readonly { readonly dimValue?: bigint; readonly dimParam?: string }[] };
  };
  readonly sequenceType?: object;
  readonly mapType?: object;
  readonly sparseTensorType?: object;
  readonly optionalType?: object;
}

export interface ValueInfoProto {
  readonly name?: string;
  readonly type?: TypeProto;
}

export interface AttributeProto {
  readonly name?: string;
  readonly f?: number;
  readonly i?: bigint;
  readonly s?: Uint8Array;
  readonly t?: TensorProto;
  readonly g?: GraphProto;
  readonly floats: readonly number[];
  readonly ints: readonly bigint[];
  readonly strings: readonly Uint8Array[];
  readonly type?: number;
  readonly refAttrName?: string;
}

export interface NodeProto {
  readonly input: readonly string[];
  readonly output: readonly string[];
  readonly name?: string;
  readonly opType?: string;
  readonly attribute: readonly AttributeProto[];
  readonly domain?: string;
}

export interface GraphProto {
  readonly node: readonly NodeProto[];
  readonly name?: string;
  readonly initializer: readonly TensorProto[];
  readonly input: readonly ValueInfoProto[];
  readonly output: readonly ValueInfoProto[];
  readonly valueInfo: readonly ValueInfoProto[];
  readonly sparseInitializer: readonly object[];
}

export interface OperatorSet {
  readonly domain?: string;
  readonly version?: bigint;
}

export interface FunctionProto {
  readonly name?: string;
  readonly input: readonly string[];
  readonly output: readonly string[];
  readonly node: readonly NodeProto[];
  readonly opsetImport: readonly OperatorSet[];
  readonly domain?: string;
  readonly attributeProto: readonly AttributeProto[];
}

export interface ModelProto {
  readonly irVersion?: bigint;
  readonly producerName?: string;
  readonly producerVersion?: string;
  readonly docString?: string;
  readonly graph?: GraphProto;
  readonly opsetImport: readonly OperatorSet[];
  readonly metadataProps: readonly { readonly key?: string; readonly value?: string }[];
  readonly functions: readonly FunctionProto[];
}

const entry: Message = { 1: one("key", "string"), 2: one("value", "string") };

const operatorSet: Message = { 1: one("domain", "string"), 2: one("version", "int64") };

const dimension: Message = { 1: one("dimValue", "int64"), 2: one("dimParam", "string") };

const type: Message = {
  1: one("tensorType", () => ({
    1: one("elemType", "int32"),
    2: one("shape", () => ({ 1: many("dim", () => dimension) })),
  })),
  4: one("sequenceType", () => ({})),
  5: one("mapType", () => ({})),
  8: one("sparseTensorType", () => ({})),
  9: one("optionalType", () => ({})),
};

const valueInfo: Message = { 1: one("name", "string"), 2: one("type", () => type) };

export const tensorMessage: Message = {
  1: many("dims", "int64"),
  2: one("dataType", "int32"),
  4: many("floatData", "float"),
  5: many("int32Data", "int32"),
  6: many("stringData", "bytes"),
  7: many("int64Data", "int64"),
  8: one("name", "string"),
  9: one("rawData", "bytes"),
  10: many("doubleData", "double"),
  11: many("uint64Data", "uint64"),
  13: many("externalData", () => entry),
  14: one("dataLocation", "int32"),
};

const attribute: Message = {
  1: one("name", "string"),
  2: one("f", "float"),
  3: one("i", "int64"),
  4: one("s", "bytes"),
  5: one("t", () => tensorMessage),
  6: one("g", () => graph),
  7: many("floats", "float"),
  8: many("ints", "int64"),
  9: many("strings", "bytes"),
  20: one("type", "int32"),
  21: one("refAttrName", "string"),
};

const node: Message = {
  1: many("input", "string"),
  2: many("output", "string"),
  3: one("name", "string"),
  4: one("opType", "string"),
  5: many("attribute", () => attribute),
  7: one("domain", "string"),
};

const graph: Message = {
  1: many("node", () => node),
  2: one("name", "string"),
  5: many("initializer", () => tensorMessage),
  11: many("input", () => valueInfo),
  12: many("output", () => valueInfo),
  13: many("valueInfo", () => valueInfo),
  15: many("sparseInitializer", () => ({})),
};

const functionMessage: Message = {
  1: one("name", "string"),
  4: many("input", "string"),
  5: many("output", "string"),
  7: many("node", () => node),
  9: many("opsetImport", () => operatorSet),
  10: one("domain", "string"),
  11: many("attributeProto", () => attribute),
};

export const modelMessage: Message = {
  1: one("irVersion", "int64"),
  2: one("producerName", "string"),
  3: one("producerVersion", "string"),
  6: one("docString", "string"),
  7: one("graph", () => graph),
  8: many("opsetImport", () => operatorSet),
  14: many("metadataProps", () => entry),
  25: many("functions", () => functionMessage),
};
