import { withoutGradients } from "../../../engine/autograd.ts";
import type { Device } from "../../../engine/device/device.ts";
import { OutOfMemoryError } from "../../../engine/device/errors.ts";
import { formatBytes } from "../../../engine/memory/report.ts";
import { add, atLeast, multiply, subtract } from "../../../engine/ops/arithmetic.ts";
import { matmul } from "../../../engine/ops/contraction/matmul.ts";
import { gatherRows } from "../../../engine/ops/gather.ts";
import { concat, permute, slice } from "../../../engine/ops/join.ts";
import { l2Normalise } from "../../../engine/ops/normalise-l2.ts";
import { sum } from "../../../engine/ops/reduce.ts";
import { reshape } from "../../../engine/ops/shape.ts";
import { abs, scale, square } from "../../../engine/ops/unary.ts";
import { writeRows } from "../../../engine/ops/write-rows.ts";
import { Tensor } from "../../../engine/tensor.ts";
import { TrainingError } from "../../training/training.ts";
import { constant } from "./constants.ts";
import { DeviceState, filled } from "./state.ts";
import type { Held } from "./with-unlabelled.ts";

interface BankExtents {
  readonly rows: number;
  /** Length of an embedding. */
  readonly length: number;
  /** Length of an answer. */
  readonly levels: number;
}

/** What an absent row has in place of a similarity: nothing of it is left by a softmax. */
const absence = 1e9;

/** Embeddings of pictures of earlier steps with what they are called, to compare others with. It begins empty. */
export class Bank implements Held {
  readonly #extents: BankExtents;
  /** [rows, length + levels + 1]: embedding, answer, and 1 where there is one. */
  readonly #state: DeviceState<"rows">;

  /**
   * @param name what its name in a checkpoint begins with @param advice what makes it smaller
   * @throws TrainingError when the device has no room for it
   */
  constructor(device: Device, name: string, extents: BankExtents, advice: string) {
    const { rows, length, levels } = extents;
    const columns = length + levels + 1;
    expectRoom(device, rows, columns, advice);
    this.#extents = extents;
    this.#state = new DeviceState(device, name, { rows: filled(0, [rows, columns]) });
  }

  /** Embeddings, [rows, length]. Of this place of the step. */
  get embeddings(): Tensor {
    return this.#columns(0, this.#extents.length);
  }

  /** Answers, [rows, levels]. */
  get answers(): Tensor {
    const { length, levels } = this.#extents;
    return this.#columns(length, length + levels);
  }

  /** 1 for rows that are there, else 0; [1, rows]. */
  get present(): Tensor {
    const { rows, length, levels } = this.#extents;
    return reshape(this.#columns(length + levels, length + levels + 1), [1, rows]);
  }

  #columns(from: number, until: number): Tensor {
    return withoutGradients(() => slice(this.#state.get("rows"), [0, from], [this.#extents.rows, until]));
  }

  /** Cosines with the rows, over T, and −10⁹ for rows that are absent: logits for a softmax. f: [n, length], of length 1 → [n, rows]. */
  similarities(f: Tensor, temperature: number): Tensor {
    const absent = withoutGradients(() => scale(subtract(constant(f, 1), this.present), -absence));
    const embeddings = withoutGradients(() => permute(this.embeddings, [1, 0]));
    return add(scale(matmul(f, embeddings), 1 / temperature), absent);
  }

  /**
   * Writes rows into the bank; those that hold no numbers are left out. f: [n, length], answers: [n, levels], places: u32 [n].
   * @param momentum share of itself that an embedding keeps, in direction: l2(m f_old + (1 − m) f)
   */
  write(f: Tensor, answers: Tensor, places: Tensor, momentum = 0): void {
    withoutGradients(() => {
      const n = f.shape[0]!;
      const there = Tensor.constant(f.device, new Float32Array(n).fill(1), [n, 1]);
      const old = () => scale(gatherRows(this.embeddings, places), momentum);
      const moved = momentum > 0 ? l2Normalise(add(old(), scale(f, 1 - momentum))) : f;
      const row = concat([moved, answers, there], 1);
      // 0 for NaN, which is no number at all.
      const isNumber = multiply(
        atLeast(sum(square(f), 1), constant(f, 0.25)),
        atLeast(sum(abs(answers), 1), constant(f, 0.25)),
      );
      writeRows(this.#state.get("rows"), row, places, isNumber);
    });
  }

  tensors() {
    return this.#state.tensors();
  }

  dispose(): void {
    this.#state.dispose();
  }
}

function expectRoom(device: Device, rows: number, columns: number, advice: string): void {
  const bytes = 4 * rows * columns;
  const most = device.maximumBindingBytes;
  if (bytes > most)
    throw new TrainingError(
      `a bank of ${rows} rows of ${columns} numbers takes ${formatBytes(bytes)}; this adapter binds ${formatBytes(most)} at most`,
      advice,
    );
  try {
    device.rehearse(() => Tensor.empty(device, [rows, columns]).dispose());
  } catch (cause) {
    if (!(cause instanceof OutOfMemoryError)) throw cause;
    throw new TrainingError(`a bank of ${rows} rows of ${columns} numbers does not fit: ${cause.message}`, advice);
  }
}

/**
 * Places of the rows of a step in a ring of so many batches: every step has a part of its own, which is whole even where the step has fewer
 * pictures, so that a ring never wraps within a step.
 */
export function ringPlaces(step: number, batches: number, batch: number, count: number): Uint32Array<ArrayBuffer> {
  const start = (step % batches) * batch;
  return Uint32Array.from({ length: count }, (_, i) => start + i);
}
