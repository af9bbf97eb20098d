import { Random } from "../../engine/random.ts";

/** Parts that are left out in turn. */
export const folds = 5;

/** A number from 0 to 4 for each of so many pictures, as many of each, by lot. @param name of the lot */
export function foldsOf(count: number, name: string): Uint8Array {
  const random = new Random(1, name);
  const order = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const other = random.integer(i + 1);
    [order[i], order[other]] = [order[other]!, order[i]!];
  }
  const found = new Uint8Array(count);
  order.forEach((picture, i) => {
    found[picture] = i % folds;
  });
  return found;
}
