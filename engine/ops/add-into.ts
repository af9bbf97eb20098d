import { Tensor } from "../tensor.ts";
import { overElements } from "./over-elements.ts";

/** sum + x in the place of `sum`, or in a new tensor when somebody else holds the elements of `sum`. Not recorded. */
export function addInto(sum: Tensor, x: Tensor): Tensor {
  if (sum.shared) {
    const total = Tensor.like(sum);
    overElements("elementwise/binary", { OP: "add" }, { a: sum, b: x, y: total }, {}, {}, 1);
    sum.dispose();
    return total;
  }
  overElements("elementwise/accumulate", {}, { sum, x }, {}, {}, 1);
  return sum;
}
