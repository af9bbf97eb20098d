import { expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Imports go from a layer to itself and to those behind it. */
const layers = ["cli", "models", "engine"];

/** What a room may not import: a method is known to the list of methods and to those who choose one, never to what it stands on. */
const forbidden: readonly { readonly from: string; readonly to: string }[] = [
  { from: "models/training", to: "models/methods" },
  { from: "models/networks", to: "models/methods" },
  { from: "models/views", to: "models/methods" },
  { from: "models/scoring", to: "models/methods" },
  { from: "models/scoring", to: "models/training" },
  { from: "models/backbones", to: "models/networks" },
  { from: "models/backbones", to: "models/methods" },
  { from: "models/labels", to: "models/methods" },
  { from: "models/data", to: "models/methods" },
  { from: "models/metrics", to: "models/data" },
  { from: "models/report", to: "models/methods" },
];

/** One import of a file by another, as a path below the root. */
interface Import {
  readonly from: string;
  readonly to: string;
  /** Gone when the types are: the other file is not run for it. */
  readonly typeOnly: boolean;
}

/** The relative imports in the text of a module, as {@link https://nodejs.org/api/typescript.html Node} leaves them. */
function importsIn(text: string): { readonly path: string; readonly typeOnly: boolean }[] {
  const statements = text.matchAll(/^(?:import|export)\s(type\s)?(?:[^"';]*?from\s)?\s*"(\.[^"]+)"/gm);
  const calls = text.matchAll(/\bimport\(\s*"(\.[^"]+)"/g);
  return [
    ...[...statements].map(([, type, path]) => ({ path: path!, typeOnly: type !== undefined })),
    ...[...calls].map(([, path]) => ({ path: path!, typeOnly: false })),
  ];
}

const files = layers
  .flatMap((layer) => readdirSync(join(root, layer), { recursive: true, encoding: "utf8" }).map((f) => join(layer, f)))
  .filter((file) => file.endsWith(".ts"));

const imports: readonly Import[] = files.flatMap((from) =>
  importsIn(readFileSync(join(root, from), "utf8")).map(({ path, typeOnly }) => ({
    from,
    to: normalize(join(dirname(from), path)),
    typeOnly,
  })),
);

const arrow = ({ from, to }: Import) => `${from} → ${to}`;
const within = (file: string, room: string) => file.startsWith(`${room}/`);

/** Sets of files that all lead to each other. */
function circles(edges: readonly Import[]): string[][] {
  const next = Map.groupBy(edges, ({ from }) => from);
  const reachable = (start: string) => {
    const seen = new Set<string>();
    const open = [start];
    for (let file = open.pop(); file !== undefined; file = open.pop()) {
      for (const { to } of next.get(file) ?? []) {
        if (seen.has(to)) continue;
        seen.add(to);
        open.push(to);
      }
    }
    return seen;
  };
  const ahead = new Map([...next.keys()].map((file) => [file, reachable(file)]));
  const left = new Set([...ahead.keys()].filter((file) => ahead.get(file)!.has(file)));
  const found: string[][] = [];
  for (const file of left) {
    const circle = [...ahead.get(file)!].filter((other) => ahead.get(other)?.has(file)).sort();
    for (const member of circle) left.delete(member);
    found.push(circle);
  }
  return found;
}

test("imports of every form are found", () => {
  const text = `import "./side.ts";
import one, { two } from "./value.ts";
import {
  three,
  type Four,
} from "../lines.ts";
import { type Five } from "./evaluated.ts";
import type { Six } from "./type.ts";
import { seven } from "node:fs";
export { eight } from "./again.ts";
export * from "./all.ts";
export type { Nine } from "./type-again.ts";
// import { ten } from "./comment.ts";
const eleven = await import("./called.ts");
`;
  const found = importsIn(text);
  expect(found.filter(({ typeOnly }) => !typeOnly).map(({ path }) => path)).toEqual([
    "./side.ts",
    "./value.ts",
    "../lines.ts",
    "./evaluated.ts",
    "./again.ts",
    "./all.ts",
    "./called.ts",
  ]);
  expect(found.filter(({ typeOnly }) => typeOnly).map(({ path }) => path)).toEqual(["./type.ts", "./type-again.ts"]);
});

test("every import leads to a file", () => {
  const known = new Set(files);
  const strange = imports.filter(({ to }) => !known.has(to) && !/\.(json|md|wgsl)$/.test(to));
  expect(strange.map(arrow)).toEqual([]);
  expect(imports.length).toBeGreaterThan(1000);
});

test("imports go from cli to models to engine", () => {
  const layerOf = (file: string) => layers.findIndex((layer) => within(file, layer));
  expect(imports.filter(({ from, to }) => layerOf(to) < layerOf(from) && to.endsWith(".ts")).map(arrow)).toEqual([]);
});

test("no room imports what stands on it", () => {
  const against = imports.filter(({ from, to }) =>
    forbidden.some((rule) => within(from, rule.from) && within(to, rule.to)),
  );
  expect(against.map(arrow)).toEqual([]);
});

test("no method imports another", () => {
  const methodOf = (file: string) => /^models\/methods\/(\w[^/]*)\//.exec(file)?.[1];
  const between = imports.filter(({ from, to }) => {
    const [importer, imported] = [methodOf(from), methodOf(to)];
    return importer !== undefined && imported !== undefined && imported !== "parts" && imported !== importer;
  });
  expect(between.map(arrow)).toEqual([]);
});

test("no circle of imports but of types", () => {
  expect(circles(imports.filter(({ typeOnly }) => !typeOnly))).toEqual([]);
});

test("circles of types are few and small", () => {
  const found = circles(imports);
  expect(found.length, found.map((circle) => circle.join(" ")).join("\n")).toBeLessThanOrEqual(1);
  // A device and the things that belong to it know each other: dispatcher, number check, tensor, tuner.
  expect(Math.max(0, ...found.map((circle) => circle.length))).toBeLessThanOrEqual(5);
});
