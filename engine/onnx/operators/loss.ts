import { divide, multiply } from "../../ops/arithmetic.ts";
import { sum } from "../../ops/reduce.ts";
import { reshape } from "../../ops/shape.ts";
import { logSoftmax, softmax } from "../../ops/softmax.ts";
import { scale } from "../../ops/unary.ts";
import { sizeOf, type Tensor } from "../../tensor.ts";
import type { Call, Operator, Operators } from "../call.ts";
import { nowhere, takenTensor } from "../places.ts";
import { Value } from "../value.ts";

/** Before operator set 13 all axes from `axis` on were one. */
const flattening = 13;

function distribution(work: (x: Tensor, axis?: number) => Tensor): Operator {
  return (call) => {
    const x = call.value(0);
    if (call.opset < flattening) {
      const axis = call.axis(call.number("axis", 1), x.rank);
      const columns = sizeOf(x.shape.slice(axis));
      return Value.of(x.type, work(reshape(x.tensor(), [x.size / columns, columns])), x.shape);
    }
    const axis = call.axis(call.number("axis", -1), x.rank);
    if (x.rank > 2 && axis === 1 && x.liesChannelsLast) return Value.channelsLast(x.type, work(x.channelsLast()));
    return Value.of(x.type, work(x.tensor(), axis));
  };
}

/** −w(t) · x[n, t, …] for labels t [N, …]; labels to leave out have weight 0. */
function negativeLogLikelihood(call: Call, x: Tensor, labels: Value, weight: Value | undefined): Value {
  const [, classes, ...places] = x.shape as [number, number, ...number[]];
  const inner = sizeOf(places);
  const numbers = labels.numbers();
  const left = call.number("ignore_index");
  const type = call.value(0).type;
  const from = new Uint32Array(numbers.length);
  const classOf = new Uint32Array(numbers.length);
  numbers.forEach((label, i) => {
    const ignored = label === left;
    if (!ignored && !(label >= 0 && label < classes)) throw call.error(`label ${label} is none of ${classes} classes`);
    from[i] = ignored ? nowhere : (Math.floor(i / inner) * classes + label) * inner + (i % inner);
    classOf[i] = ignored ? nowhere : label;
  });
  const weights = takenTensor(weight?.tensor() ?? call.constant(Array(classes).fill(1)), labels.shape, classOf);
  const losses = scale(multiply(takenTensor(x, labels.shape, from), weights), -1);
  const reduction = call.text("reduction", "mean");
  if (reduction === "none") return Value.of(type, losses);
  const total = sum(losses);
  return Value.of(type, reduction === "sum" ? total : divide(total, sum(weights)), []);
}

const likelihood: Operator = (call) => negativeLogLikelihood(call, call.tensor(0), call.value(1), call.optional(2));

const crossEntropy: Operator = (call) => {
  const x = call.value(0);
  const logs = logSoftmax(x.tensor(), 1);
  const loss = negativeLogLikelihood(call, logs, call.value(1), call.optional(2));
  return [loss, call.wants(1) ? Value.of(x.type, logs) : undefined];
};

export const lossOperators: Operators = {
  Softmax: distribution(softmax),
  LogSoftmax: distribution(logSoftmax),
  NegativeLogLikelihoodLoss: likelihood,
  SoftmaxCrossEntropyLoss: crossEntropy,
};
