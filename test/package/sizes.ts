// `bun run sizes`: what an installation takes on this platform, for those who use one part of the package: the packages that the part's modules
// import, with what those bring. Also what npm packs, when dist/ is there (`bun run prepack`).
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { productionPackages } from "./production.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const transpiler = new Bun.Transpiler({ loader: "ts" });

/** Packages that the modules reached from an entry import, at once or when they are needed. */
function importedBy(entry: string): Set<string> {
  const packages = new Set<string>();
  const seen = new Set<string>();
  const visit = (file: string): void => {
    if (seen.has(file) || !file.endsWith(".ts")) return;
    seen.add(file);
    const text = readFileSync(file, "utf8").replace(/^#!.*/, "");
    const required = [
      ...text.matchAll(/\brequire\("([^".][^"]*)"\)|createRequire\([^)]*\)(?:\.resolve)?\("([^"]+)"\)/g),
    ];
    const imported = transpiler.scanImports(text).map(({ path }) => path);
    for (const path of [...imported, ...required.map(([, a, b]) => (a ?? b)!)]) {
      if (path.startsWith(".")) visit(resolve(dirname(file), path));
      else if (!/^(node|bun):/.test(path)) packages.add(/^(?:@[^/]+\/)?[^/]+/.exec(path)![0]);
    }
  };
  visit(join(root, entry));
  return packages;
}

function bytesIn(folder: string): number {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}

const all = productionPackages(root);
const folderOf = (name: string) => join(root, "node_modules", name);
const sizes = new Map(all.map(({ name }) => [name, bytesIn(folderOf(name))]));

/** Packages and what they bring. */
function closure(names: Iterable<string>): string[] {
  const found = new Set<string>();
  const visit = (name: string): void => {
    if (found.has(name) || !sizes.has(name)) return;
    found.add(name);
    for (const { name: brought, askedBy } of all) if (askedBy.includes(name)) visit(brought);
  };
  for (const name of names) visit(name);
  return [...found];
}

const megabytes = (bytes: number) => (bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0);
const sum = (names: readonly string[]) => names.reduce((total, name) => total + sizes.get(name)!, 0);

const users = [
  ["`acutance/engine`", "engine/index.ts"],
  ["`acutance`", "models/index.ts"],
  ["`acutance/service`", "models/service/index.ts"],
  ["the command line", "cli/main.ts"],
] as const;

console.log("| who uses | packages | MB | of which |");
console.log("| --- | --- | --- | --- |");
for (const [name, entry] of users) {
  const packages = closure(importedBy(entry));
  const heavy = packages.toSorted((a, b) => sizes.get(b)! - sizes.get(a)!).slice(0, 6);
  const words = heavy.map((each) => `${each} ${megabytes(sizes.get(each)!)}`).join(", ");
  console.log(`| ${name} | ${packages.length} | ${megabytes(sum(packages))} | ${words} |`);
}
console.log(`| all | ${all.length} | ${megabytes(sum(all.map(({ name }) => name)))} | |`);

const packed = spawnSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], { cwd: root, encoding: "utf8" });
const [{ size, unpackedSize, files }] = JSON.parse(packed.stdout) as [
  { size: number; unpackedSize: number; files: { path: string; size: number }[] },
];
const parts = Map.groupBy(files, ({ path }) => (/^(models\/weights|dist\/browser|[^/]+)/.exec(path) ?? [path])[0]!);
const largest = [...parts]
  .map(([part, own]) => [part, own.reduce((total, file) => total + file.size, 0)] as const)
  .toSorted((a, b) => b[1] - a[1])
  .slice(0, 7);
console.log(
  `\npacked ${megabytes(size)} MB, unpacked ${megabytes(unpackedSize)} MB: ${largest.map(([part, bytes]) => `${relative(root, join(root, part))} ${megabytes(bytes)}`).join(", ")}`,
);
