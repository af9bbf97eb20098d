import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gelu, importOnnx, Tensor } from "../../../engine/index.ts";
import { encode } from "../../../engine/onnx/protobuf.ts";
import { modelMessage } from "../../../engine/onnx/schema.ts";
import { GraphWriter } from "../../../engine/onnx/write.ts";
import { sharedDevice } from "../device.ts";
import { numbers } from "./numbers.ts";

const notes = { producer: "test", version: "1" };

/** A residual block as networks have it: convolution, normalisation, addition, activation, each twice, on [1, 4, 5, 6]. */
function block(): Uint8Array<ArrayBuffer> {
  const writer = new GraphWriter();
  const x = writer.input("x", "float32", ["batch", 4, 5, 6]);
  const layer = (input: string, residual?: string) => {
    const weight = writer.constant("weight", "float32", [4, 4, 3, 3], numbers(144, 0.3));
    const convolved = writer.node("Conv", [input, weight], { pads: [1, 1, 1, 1] });
    const state = [1, 0, 0, 1].map((value, i) =>
      writer.constant(
        "state",
        "float32",
        [4],
        numbers(4, 0.1).map((each) => each + value + (i === 3 ? 0.5 : 0)),
      ),
    );
    const normal = writer.node("BatchNormalization", [convolved, ...state]);
    return writer.node("Relu", [residual ? writer.node("Add", [normal, residual]) : normal]);
  };
  const first = layer(x);
  writer.nodes("Identity", [layer(first, x)], ["y"]);
  writer.output("y", "float32", ["batch", 4, 5, 6]);
  return writer.bytes(notes);
}

/** A model of one node. */
function single(operator: string, domain = ""): Uint8Array<ArrayBuffer> {
  const type = { tensorType: { elemType: 1, shape: { dim: [{ dimValue: 2n }] } } };
  return encode(modelMessage, {
    irVersion: 8n,
    opsetImport: [{ domain: "", version: 17n }],
    graph: {
      name: "one",
      node: [{ opType: operator, domain, input: ["x"], output: ["y"] }],
      input: [{ name: "x", type }],
      output: [{ name: "y", type }],
    },
  });
}

describe("importOnnx", () => {
  test("runs a residual block as the operations of the engine do, with parts put together", async () => {
    const device = await sharedDevice();
    using model = await importOnnx(block(), device);
    const x = numbers(2 * 120);
    const { y } = await model.run({ x: { data: x, shape: [2, 4, 5, 6] } });
    // By hand in float64.
    const weight = numbers(144, 0.3);
    const states = [1, 0, 0, 1].map((value, i) => numbers(4, 0.1).map((each) => each + value + (i === 3 ? 0.5 : 0)));
    const layer = (input: Float64Array, residual?: Float64Array) => {
      const result = new Float64Array(240);
      for (let n = 0; n < 2; n++)
        for (let o = 0; o < 4; o++)
          for (let h = 0; h < 5; h++)
            for (let w = 0; w < 6; w++) {
              let sum = 0;
              for (let c = 0; c < 4; c++)
                for (let i = 0; i < 3; i++)
                  for (let j = 0; j < 3; j++) {
                    const [row, column] = [h + i - 1, w + j - 1];
                    if (row < 0 || row >= 5 || column < 0 || column >= 6) continue;
                    sum += weight[((o * 4 + c) * 3 + i) * 3 + j]! * input[((n * 4 + c) * 5 + row) * 6 + column]!;
                  }
              const at = ((n * 4 + o) * 5 + h) * 6 + w;
              const [scale, shift, mean, variance] = states.map((state) => state[o]!) as [
                number,
                number,
                number,
                number,
              ];
              const normal = ((sum - mean) / Math.sqrt(variance + 1e-5)) * scale + shift;
              result[at] = Math.max(0, normal + (residual?.[at] ?? 0));
            }
      return result;
    };
    const wide = Float64Array.from(x);
    const wanted = layer(layer(wide), wide);
    const found = await y!.read();
    expect(y!.shape).toEqual([2, 4, 5, 6]);
    wanted.forEach((value, i) => {
      expect(Math.abs((found[i] as number) - value)).toBeLessThan(1e-5 * Math.max(1, Math.abs(value)));
    });
    y!.dispose();
  });

  test("changes the layout at the edges alone", async () => {
    const device = await sharedDevice();
    using model = await importOnnx(block(), device);
    const recorded: string[] = [];
    const original = device.labels.record;
    device.labels.record = (operation, inputs, output) => {
      recorded.push(operation);
      original.call(device.labels, operation, inputs, output);
    };
    try {
      const { y } = await model.run({ x: { data: numbers(120), shape: [1, 4, 5, 6] } });
      await y!.read();
      y!.dispose();
    } finally {
      device.labels.record = original;
    }
    expect(recorded.filter((operation) => operation === "transpose").length).toBe(2);
  });

  test("sees GELU in its formula, in both orders, and leaves what others ask for", async () => {
    const device = await sharedDevice();
    const written = (isHalvedFirst: boolean, isAsked = false) => {
      const writer = new GraphWriter();
      const x = writer.input("x", "float32", [7]);
      const scalar = (value: number) => writer.constant("number", "float32", [], [value]);
      const erf = writer.node("Erf", [writer.node("Div", [x, scalar(Math.SQRT2)])], {}, "erf");
      const sum = writer.node("Add", [erf, scalar(1)]);
      const start = isHalvedFirst ? writer.node("Mul", [x, scalar(0.5)]) : x;
      const product = writer.node("Mul", [start, sum]);
      writer.nodes(isHalvedFirst ? "Identity" : "Mul", isHalvedFirst ? [product] : [product, scalar(0.5)], ["y"]);
      writer.output("y", "float32", [7]);
      if (isAsked) writer.output(erf, "float32", [7]);
      return writer.bytes(notes);
    };
    using gelus = Tensor.from(device, numbers(7, 2), [7]);
    const wanted = await gelu(gelus).read();
    for (const bytes of [written(true), written(false), written(true, true)]) {
      using model = await importOnnx(bytes, device);
      const outputs = await model.run({ x: numbers(7, 2) });
      const found = await outputs["y"]!.read();
      wanted.forEach((value, i) => {
        expect(Math.abs((found[i] as number) - value)).toBeLessThan(1e-6);
      });
      for (const output of Object.values(outputs)) output.dispose();
    }
  });

  test("leaves no tensors behind", async () => {
    const device = await sharedDevice();
    using model = await importOnnx(block(), device);
    const run = async () => {
      const { y } = await model.run({ x: { data: numbers(120), shape: [1, 4, 5, 6] } });
      await y!.read();
      y!.dispose();
    };
    // The second is recorded, the third replayed.
    for (let i = 0; i < 3; i++) await run();
    const before = device.memoryUse.usedBytes;
    await run();
    expect(device.memoryUse.usedBytes).toBe(before);
    model.dispose();
    expect(device.memoryUse.usedBytes).toBeLessThan(before);
  });

  test("a run of shapes that came before is recorded and replayed, with other elements, to the same bits", async () => {
    const device = await sharedDevice();
    using model = await importOnnx(block(), device);
    const run = async (factor: number, batch: number, tensor = false) => {
      const data = numbers(120 * batch, factor);
      using x = tensor ? Tensor.from(device, data, [batch, 4, 5, 6]) : undefined;
      const { y } = await model.run({ x: x ?? { data, shape: [batch, 4, 5, 6] } });
      const read = [...((await y!.read()) as Float32Array)];
      y!.dispose();
      return read;
    };
    const first = [await run(1, 1), await run(2, 1, true), await run(1, 2)];
    const recorded = [await run(1, 1), await run(2, 1, true), await run(1, 2)];
    const replayed = [await run(1, 1), await run(2, 1, true), await run(1, 2)];
    expect(recorded).toEqual(first);
    expect(replayed).toEqual(first);
    // Outputs are the caller's: a later run does not change them.
    const shape = [1, 4, 5, 6];
    const [a, b] = [
      await model.run({ x: { data: numbers(120), shape } }),
      await model.run({ x: { data: numbers(120, 3), shape } }),
    ];
    expect([...((await a["y"]!.read()) as Float32Array)]).toEqual(first[0]!);
    expect([...((await b["y"]!.read()) as Float32Array)]).not.toEqual(first[0]!);
    for (const { y } of [a, b]) y!.dispose();
    await expect(model.run({ x: { data: numbers(119), shape } })).rejects.toThrow("119 elements were given");
    // No more are kept than a few; what is not kept runs as before.
    for (let batch = 3; batch < 9; batch++) for (let i = 0; i < 2; i++) await run(1, batch);
    expect(await run(1, 1)).toEqual(first[0]!);
  });

  test("takes tensors of the engine, and gives some", async () => {
    const device = await sharedDevice();
    using model = await importOnnx(single("Relu"), device);
    using x = Tensor.from(device, [-1, 2], [2]);
    const { y } = await model.run({ x });
    expect([...(await y!.tensor().read())]).toEqual([0, 2]);
    y!.dispose();
  });

  test("reads data that lie beside the model, and says what is wrong with them", async () => {
    const folder = mkdtempSync(join(tmpdir(), "onnx-"));
    try {
      const tensor = (location: string) => ({
        name: "w",
        dims: [2n],
        dataType: 1,
        dataLocation: 1,
        externalData: [
          { key: "location", value: location },
          { key: "offset", value: "4" },
          { key: "length", value: "8" },
        ],
      });
      const model = (location: string) =>
        encode(modelMessage, {
          irVersion: 8n,
          opsetImport: [{ version: 17n }],
          graph: {
            node: [{ opType: "Identity", input: ["w"], output: ["y"] }],
            initializer: [tensor(location)],
            output: [{ name: "y", type: { tensorType: { elemType: 1 } } }],
          },
        });
      writeFileSync(join(folder, "weights.bin"), new Uint8Array(Float32Array.of(9, 1, 2).buffer));
      for (const [name, location] of [
        ["good", "weights.bin"],
        ["outside", "../weights.bin"],
        ["missing", "other.bin"],
      ])
        writeFileSync(join(folder, `${name}.onnx`), model(location!));
      const device = await sharedDevice();
      using good = await importOnnx(join(folder, "good.onnx"), device);
      const { y } = await good.run({});
      expect([...(await y!.read())]).toEqual([1, 2]);
      await expect(importOnnx(join(folder, "outside.onnx"), device)).rejects.toThrow("not beside the model");
      await expect(importOnnx(join(folder, "missing.onnx"), device)).rejects.toThrow(
        '"other.bin", which cannot be read',
      );
      await expect(importOnnx(model("weights.bin"), device)).rejects.toThrow("give the path of the model");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("says what a model needs that is missing before anything runs", async () => {
    const device = await sharedDevice();
    await expect(importOnnx(single("LSTM"), device)).rejects.toThrow("not supported: LSTM (1)");
    await expect(importOnnx(single("Fancy", "com.example"), device)).rejects.toThrow("com.example:Fancy (1)");
  });

  test("says what is wrong with a file or an input", async () => {
    const device = await sharedDevice();
    await expect(importOnnx(Uint8Array.of(1, 2, 3), device)).rejects.toThrow("is no ONNX model");
    const whole = single("Relu");
    await expect(importOnnx(whole.subarray(0, whole.length - 9), device)).rejects.toThrow("damaged");
    await expect(importOnnx("/nowhere/model.onnx", device)).rejects.toThrow("there is no such file");
    using model = await importOnnx(whole, device);
    await expect(model.run({})).rejects.toThrow('input "x" is missing');
    await expect(model.run({ z: [1] })).rejects.toThrow('no input "z"; it has "x"');
    await expect(model.run({ x: { data: [1, 2, 3], shape: [3] } })).rejects.toThrow(
      "has shape [3], the model takes [2]",
    );
  });
});

describe("arrays without elements", () => {
  test("go through a model, as inputs and as constants", async () => {
    const writer = new GraphWriter();
    const x = writer.input("x", "float32", ["batch", 3]);
    const none = writer.constant("none", "float32", [0, 2], new Float32Array());
    const weight = writer.constant("weight", "float32", [3, 2], numbers(6));
    const bias = writer.constant("bias", "float32", [2], numbers(2));
    const product = writer.node("Relu", [writer.node("Add", [writer.node("MatMul", [x, weight]), bias])]);
    const joined = writer.node("Concat", [none, product], { axis: 0 });
    writer.nodes("Softmax", [joined], ["probabilities"]);
    writer.nodes("ReduceSum", [joined, writer.constant("axes", "int64", [1], [0])], ["total"], { keepdims: 0 });
    writer.nodes("ReduceMax", [joined], ["largest"], { axes: [0], keepdims: 0 });
    writer.nodes("Less", [joined, bias], ["less"]);
    writer.nodes(
      "Transpose",
      [writer.node("Reshape", [joined, writer.constant("to", "int64", [3], [0, 1, 2])])],
      ["turned"],
      { perm: [2, 0, 1] },
    );
    for (const [name, type, shape] of [
      ["probabilities", "float32", ["batch", 2]],
      ["total", "float32", [2]],
      ["largest", "float32", [2]],
      ["less", "bool", ["batch", 2]],
      ["turned", "float32", [2, "batch", 1]],
    ] as const)
      writer.output(name, type, shape);
    const device = await sharedDevice();
    using model = await importOnnx(writer.bytes(notes), device);
    for (const batch of [0, 2, 0]) {
      const outputs = await model.run({ x: { data: numbers(3 * batch), shape: [batch, 3] } });
      const shapes = Object.fromEntries(Object.entries(outputs).map(([name, { shape }]) => [name, shape]));
      expect(shapes).toEqual({
        probabilities: [batch, 2],
        total: [2],
        largest: [2],
        less: [batch, 2],
        turned: [2, batch, 1],
      });
      if (batch === 0) {
        expect([...(await outputs["total"]!.read())]).toEqual([0, 0]);
        expect([...(await outputs["largest"]!.read())]).toEqual([-Infinity, -Infinity]);
        for (const name of ["probabilities", "less", "turned"]) expect((await outputs[name]!.read()).length).toBe(0);
      }
      for (const output of Object.values(outputs)) output.dispose();
    }
  });
});
