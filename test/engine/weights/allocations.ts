const arrays = ["Uint8Array", "Uint16Array", "Uint32Array", "Float32Array", "Float64Array", "ArrayBuffer"] as const;

/** Bytes of buffers made at once, and altogether. */
export interface Allocations {
  largest: number;
  total: number;
}

/**
 * Runs something and counts the buffers that it makes through the constructors of typed arrays and of Buffer. Counts
 * lengths asked for, before anything is allocated, so that a claim of terabytes is seen too.
 */
export async function countAllocations(run: (allocations: Allocations) => Promise<void>): Promise<Allocations> {
  const allocations: Allocations = { largest: 0, total: 0 };
  const count = (bytes: unknown) => {
    if (typeof bytes !== "number") return;
    allocations.largest = Math.max(allocations.largest, bytes);
    allocations.total += bytes;
  };
  const scope = globalThis as Record<string, unknown>;
  const restore: (() => void)[] = [];
  for (const name of arrays) {
    const original = globalThis[name];
    const size = "BYTES_PER_ELEMENT" in original ? original.BYTES_PER_ELEMENT : 1;
    scope[name] = new Proxy(original, {
      construct(target, args, newTarget) {
        const [first] = args;
        count(typeof first === "number" ? first * size : ArrayBuffer.isView(first) ? first.byteLength : undefined);
        return Reflect.construct(target, args, newTarget);
      },
    });
    restore.push(() => {
      scope[name] = original;
    });
  }
  for (const name of ["alloc", "allocUnsafe"] as const) {
    const original = Buffer[name];
    Buffer[name] = (bytes: number) => {
      count(bytes);
      return original.call(Buffer, bytes);
    };
    restore.push(() => {
      Buffer[name] = original;
    });
  }
  try {
    await run(allocations);
  } finally {
    for (const undo of restore) undo();
  }
  return allocations;
}
