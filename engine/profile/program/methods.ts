/**
 * Stands around a method.
 * @param self what it was called on
 * @param call calls the method itself, on another object where `on` is given
 */
export type Wrapper = (
  self: object,
  args: unknown[],
  call: (args: readonly unknown[], on?: object) => unknown,
) => unknown;

type Callable = (...args: readonly unknown[]) => unknown;

/** Told of every call: how long it took in the method itself, and how long around it. */
export type Timed = (method: string, insideMs: number, aroundMs: number) => void;

const wrapped = new WeakSet<object>();
let quiet = 0;

/** Runs synchronous work of the profiler's own, of which the wrappers see nothing. */
export function quietly<T>(work: () => T): T {
  quiet++;
  try {
    return work();
  } finally {
    quiet--;
  }
}

/**
 * Replaces methods of the class that `sample` is of, once. Objects stay the runtime's own, so that they can be handed to it and are
 * instances of what they were.
 */
export function wrapMethods(
  className: string,
  sample: object,
  wrappers: Readonly<Record<string, Wrapper>>,
  timed: Timed,
): void {
  const prototype = Object.getPrototypeOf(sample) as Record<string, unknown>;
  if (wrapped.has(prototype)) return;
  wrapped.add(prototype);
  for (const [name, wrapper] of Object.entries(wrappers)) {
    const original = prototype[name];
    if (typeof original !== "function") continue;
    replace(prototype, name, wrappedMethod(`${className}.${name}`, original as Callable, wrapper, timed));
  }
}

function wrappedMethod(title: string, original: Callable, wrapper: Wrapper, timed: Timed): Callable {
  return function (this: object, ...args: unknown[]) {
    if (quiet > 0) return original.apply(this, args);
    const start = performance.now();
    let insideMs = 0;
    try {
      return wrapper(this, args, (given, on = this) => {
        const begin = performance.now();
        try {
          return quietly(() => original.apply(on, given as unknown[]));
        } finally {
          insideMs += performance.now() - begin;
        }
      });
    } finally {
      timed(title, insideMs, performance.now() - start - insideMs);
    }
  };
}

/** Replaces one method, as enumerable and writable as it was. */
function replace(owner: object, name: string, value: Callable): void {
  let at: object | null = owner;
  while (at && !Object.hasOwn(at, name)) at = Object.getPrototypeOf(at) as object | null;
  const { enumerable = true } = (at && Object.getOwnPropertyDescriptor(at, name)) ?? {};
  Object.defineProperty(value, "name", { value: name, configurable: true });
  Object.defineProperty(owner, name, { value, enumerable, writable: true, configurable: true });
}

/** Names of the methods of the class that `sample` is of. */
export function methodNames(sample: object): string[] {
  const descriptors = Object.getOwnPropertyDescriptors(Object.getPrototypeOf(sample) as object);
  return Object.entries(descriptors).flatMap(([name, { value }]) =>
    typeof value === "function" && name !== "constructor" ? [name] : [],
  );
}
