import { add, multiply } from "../../ops/arithmetic.ts";
import { linear } from "../../ops/contraction/matmul.ts";
import { reshape } from "../../ops/shape.ts";
import { cos, scale } from "../../ops/unary.ts";
import type { Tensor } from "../../tensor.ts";
import type { Call, Operator, Operators } from "../call.ts";
import { placesOf, stridesOf, takenTensor } from "../places.ts";
import { Value } from "../value.ts";
import { permuted, reshaped } from "./shape.ts";

/** Σ_j factors[j] · cos(2π j k / N) for k below a count, N being that count or, where it is not periodic, one less. */
function cosineWindow(factors: readonly number[]): Operator {
  return (call) => {
    const count = call.scalar(0);
    const period = call.flag("periodic", true) ? count : count - 1;
    const angles = call.constant(Array.from({ length: count }, (_, k) => (2 * Math.PI * k) / period));
    const waves = factors.slice(1).map((factor, j) => scale(cos(scale(angles, j + 1)), factor));
    const sum = waves.reduce((total, wave) => add(total, wave));
    return Value.of(call.type("output_datatype", "float32"), add(sum, factors[0]!));
  };
}

/**
 * The matrix of a discrete Fourier transform of `inputs` numbers, filled with zeros or cut to `length`, as real numbers: rows
 * are input and part, columns output and part. X_k = Σ_n x_n e^(−2πi kn/N), or of the inverse e^(2πi kn/N) / N.
 */
function fourierMatrix(
  call: Call,
  inputs: number,
  parts: number,
  length: number,
  outputs: number,
  inverse: boolean,
): Tensor {
  const numbers = new Float32Array(inputs * parts * outputs * 2);
  const factor = inverse ? 1 / length : 1;
  for (let n = 0; n < Math.min(inputs, length); n++) {
    for (let k = 0; k < outputs; k++) {
      const angle = ((inverse ? 2 : -2) * Math.PI * ((k * n) % length)) / length;
      const [real, imaginary] = [factor * Math.cos(angle), factor * Math.sin(angle)];
      for (let part = 0; part < parts; part++) {
        const at = ((n * parts + part) * outputs + k) * 2;
        numbers[at] = part === 0 ? real : -imaginary;
        numbers[at + 1] = part === 0 ? imaginary : real;
      }
    }
  }
  return call.constant([...numbers], [inputs * parts, outputs * 2]);
}

/** Along an axis of x, whose last axis has the real and the imaginary part, or the real part alone. */
const fourier: Operator = (call) => {
  const x = call.value(0);
  // Operator set 20 has the axis as an input.
  const axis = call.axis(call.has(2) ? call.scalar(2) : call.number("axis", call.opset < 20 ? 1 : -2), x.rank);
  const length = call.has(1) ? call.scalar(1) : x.shape[axis]!;
  const outputs = call.flag("onesided") ? Math.floor(length / 2) + 1 : length;
  const parts = x.shape.at(-1)!;
  const rest = x.shape.map((_, d) => d).filter((d) => d !== axis && d !== x.rank - 1);
  const order = [...rest, axis, x.rank - 1];
  const moved = permuted(x, order);
  const inputs = x.shape[axis]!;
  const rows = reshape(moved.tensor(), [x.size / (inputs * parts), inputs * parts]);
  const matrix = fourierMatrix(call, inputs, parts, length, outputs, call.flag("inverse"));
  const shape = [...rest.map((d) => x.shape[d]!), outputs, 2];
  const y = Value.of(x.type, reshape(linear(rows, matrix), shape));
  return permuted(
    y,
    order.map((_, d) => order.indexOf(d)),
  );
};

/** Transforms of frames of a signal [N, length, parts], each multiplied by a window. */
const shortTime: Operator = (call) => {
  const signal = call.value(0);
  const step = call.scalar(1);
  const length = call.has(3) ? call.scalar(3) : call.value(2).size;
  const [images, samples, parts] = [signal.shape[0]!, signal.shape[1]!, signal.shape[2] ?? 1];
  const frames = Math.floor((samples - length) / step) + 1;
  const outputs = call.flag("onesided", true) ? Math.floor(length / 2) + 1 : length;
  const strides = stridesOf([images, samples, parts]);
  const shape = [images, frames, length, parts];
  const places = placesOf(shape, ([n, frame, i, part]) => n! * strides[0]! + (frame! * step + i!) * parts + part!);
  const cut = takenTensor(signal.tensor(), shape, places);
  const windowed = call.has(2) ? multiply(cut, reshape(call.tensor(2), [length, 1])) : cut;
  const rows = reshape(windowed, [images * frames, length * parts]);
  const y = linear(rows, fourierMatrix(call, length, parts, length, outputs, false));
  return reshaped(Value.of(signal.type, y), [images, frames, outputs, 2]);
};

export const signalOperators: Operators = {
  HannWindow: cosineWindow([0.5, -0.5]),
  HammingWindow: cosineWindow([25 / 46, -21 / 46]),
  BlackmanWindow: cosineWindow([0.42, -0.5, 0.08]),
  DFT: fourier,
  STFT: shortTime,
};
