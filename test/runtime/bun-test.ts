// What the tests import from "bun:test", for runtimes that have no such module: node:test runs them, jest's expect
// checks them. Only what the tests use. Groups are flattened into names ("group > test"), because runtimes differ in how
// they count nested tests.

import { after as lastly, test as nodeTest } from "node:test";
import { format } from "node:util";
import { expect as jestExpect } from "expect";

type Body = () => unknown;
// biome-ignore lint/suspicious/noExplicitAny: a row of a table is whatever its test takes
type Row = any;
type Declare = (name: unknown, body: (...row: Row[]) => unknown, timeoutMs?: number) => void;

/** As `bun test --timeout 120000`, which is how the tests are run under Bun. */
const defaultTimeoutMs = 120_000;

/** A file or a group of tests, with what runs around each test in it. */
interface Scope {
  readonly parent?: Scope;
  readonly name: string;
  readonly skip: boolean;
  readonly before: Body[];
  readonly after: Body[];
}

let scope = newScope("");

function newScope(name: string, skip = false, parent?: Scope): Scope {
  return { parent, name, skip: skip || (parent?.skip ?? false), before: [], after: [] };
}

/** The scopes from the file to the innermost group. */
function path(inner: Scope): Scope[] {
  return inner.parent ? [...path(inner.parent), inner] : [inner];
}

/** Hooks declared from now on are another file's. */
export function startFile(): void {
  scope = newScope("");
}

/** Declares one test; `skip` leaves it out visibly. */
function declare(name: unknown, body: Body, timeoutMs = defaultTimeoutMs, skip = false): void {
  const scopes = path(scope);
  const names = [...scopes.slice(1).map((group) => group.name), String(name)];
  nodeTest(names.join(" > "), { timeout: timeoutMs, skip: skip || scope.skip }, async () => {
    for (const { before } of scopes) for (const hook of before) await hook();
    try {
      await body();
    } finally {
      for (const { after } of scopes.toReversed()) for (const hook of after) await hook();
    }
  });
}

function group(name: unknown, body: Body, skip = false): void {
  const outer = scope;
  scope = newScope(String(name), skip, outer);
  try {
    body();
  } finally {
    scope = outer;
  }
}

/** A test or group for every row of a table: an array's elements are the arguments, anything else is the only one. */
function each(one: Declare) {
  return (rows: readonly Row[]): Declare =>
    (name, body, timeoutMs) => {
      for (const row of rows) {
        const args = Array.isArray(row) ? row : [row];
        one(rowName(String(name), args), () => body(...args), timeoutMs);
      }
    };
}

/** printf-like directives take the arguments in turn; %p is jest's word for "pretty". */
function rowName(name: string, args: readonly unknown[]): string {
  const directives = name.match(/%[spdifjoO]/g)?.length ?? 0;
  return format(name.replaceAll("%p", "%j"), ...args.slice(0, directives));
}

export const test = Object.assign((name: unknown, body: Body, timeoutMs?: number) => declare(name, body, timeoutMs), {
  each: each((name, body, timeoutMs) => declare(name, body, timeoutMs)),
  skip: (name: unknown, body: Body) => declare(name, body, undefined, true),
  skipIf: (condition: unknown) => (name: unknown, body: Body, timeoutMs?: number) =>
    declare(name, body, timeoutMs, Boolean(condition)),
});

export const describe = Object.assign((name: unknown, body: Body) => group(name, body), {
  each: each((name, body) => group(name, body)),
  skip: (name: unknown, body: Body) => group(name, body, true),
  skipIf: (condition: unknown) => (name: unknown, body: Body) => group(name, body, Boolean(condition)),
});

/** Runs once, before the first test of the file or group. */
export function beforeAll(body: Body): void {
  let done: Promise<unknown> | undefined;
  scope.before.push(() => {
    done ??= Promise.resolve().then(body);
    return done;
  });
}

export function beforeEach(body: Body): void {
  scope.before.push(body);
}

export function afterEach(body: Body): void {
  scope.after.push(body);
}

/** Runs when all tests of the process have run, which is later than under Bun. */
export function afterAll(body: Body): void {
  lastly(async () => {
    await body();
  });
}

/** Bun takes a message as second argument; jest refuses one. */
export const expect = Object.assign((value: unknown, _message?: string) => jestExpect(value), jestExpect);

/** Bun has these beside jest's matchers. */
jestExpect.extend({
  toBeEmpty: (value: ArrayLike<unknown>) => matched(value.length === 0, `${show(value)} has no`, "elements"),
  toStartWith: (text: string, start: string) => matched(text.startsWith(start), `${show(text)} starts with`, start),
  toEndWith: (text: string, end: string) => matched(text.endsWith(end), `${show(text)} ends with`, end),
  toBeWithin: (value: number, low: number, high: number) =>
    matched(value >= low && value < high, `${value} is at least ${low} and below`, high),
});

function matched(pass: boolean, claim: string, wanted: unknown) {
  return { pass, message: () => `expected ${pass ? "not " : ""}that ${claim} ${show(wanted)}` };
}

function show(value: unknown): string {
  return JSON.stringify(value);
}
