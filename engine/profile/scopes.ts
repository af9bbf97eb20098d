/** What keeps a value through asynchronous work, as node:async_hooks has it. */
interface Storage<T> {
  run<R>(value: T, work: () => R): R;
  getStore(): T | undefined;
}

/** For where no AsyncLocalStorage is: right for synchronous work. */
class Stack implements Storage<string> {
  #value: string | undefined;

  run<R>(value: string, work: () => R): R {
    const before = this.#value;
    this.#value = value;
    try {
      return work();
    } finally {
      this.#value = before;
    }
  }

  getStore(): string | undefined {
    return this.#value;
  }
}

const key = Symbol.for("acutance.scopes");

/** One for the process, so that a profiled program and its profiler share it whichever copy of this module they have. */
function storage(): Storage<string> {
  const holder = globalThis as { [key]?: Storage<string> };
  holder[key] ??= made();
  return holder[key];
}

function made(): Storage<string> {
  const { getBuiltinModule } = (globalThis.process ?? {}) as {
    getBuiltinModule?: (name: string) => { AsyncLocalStorage: new () => Storage<string> } | undefined;
  };
  const found = getBuiltinModule?.("node:async_hooks");
  return found ? new found.AsyncLocalStorage() : new Stack();
}

/**
 * Runs `work` under a name: what it dispatches is shown under it in profiles, inside of other names the longer path
 * `outer/name`. Without a profile nothing else happens. Asynchronous work keeps the name.
 * @returns what `work` returns
 */
export function mark<T>(name: string, work: () => T): T {
  if (typeof name !== "string") throw new TypeError(`mark: the name is a text, got ${String(name)}`);
  if (typeof work !== "function") throw new TypeError(`mark: the work is a function, got ${String(work)}`);
  const outer = currentScope();
  return storage().run(outer ? `${outer}/${name}` : name, work);
}

/** The path of the marks around what runs now; empty outside. */
export function currentScope(): string {
  return storage().getStore() ?? "";
}
