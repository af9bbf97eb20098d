import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { productionPackages } from "./production.ts";

const root = new URL("../../", import.meta.url).pathname;
const manifest = JSON.parse(readFileSync(`${root}package.json`, "utf8")) as { dependencies: Record<string, string> };

/** Licences under which a package may be used by a closed product without more than a notice. */
const permissive = [
  "MIT",
  "ISC",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "Apache-2.0",
  "0BSD",
  "BlueOak-1.0.0",
  "Unlicense",
  "CC0-1.0",
];

test("every dependency is pinned to one version", () => {
  for (const [name, version] of Object.entries(manifest.dependencies)) {
    expect({ name, version }).toEqual({ name, version: expect.stringMatching(/^\d+\.\d+\.\d+$/) });
  }
});

test("the walk finds our own dependencies and what they bring", () => {
  const packages = productionPackages(root);
  const own = packages.filter(({ name }) => name in manifest.dependencies);
  expect(own.map(({ name, version }) => [name, version])).toEqual(Object.entries(manifest.dependencies).sort());
  expect(packages.length).toBeGreaterThan(own.length);
});

test("licences are permissive, but for libvips, which is linked as a library of its own", () => {
  const isPermissive = (licence: string) =>
    licence
      .replace(/^\((.*)\)$/, "$1")
      .split(" AND ")
      .every((each) => permissive.includes(each));
  const others = productionPackages(root).filter(({ licence }) => !isPermissive(licence));
  for (const { name, licence } of others) {
    expect(name).toStartWith("@img/sharp-");
    expect(licence).toContain("LGPL-3.0-or-later");
  }
});

test("the weights that come along have their licence beside them", () => {
  const folder = `${root}models/weights/`;
  expect(readFileSync(`${folder}LICENSE-vit-tiny.txt`, "utf8")).toContain("Apache License");
  expect(readFileSync(`${folder}NOTICE.txt`, "utf8")).toContain("LIVE In the Wild");
  for (const model of ["livec-v2", "livec-v2-fast"]) {
    expect(existsSync(`${folder}${model}.safetensors`)).toBe(true);
    expect(readFileSync(`${folder}NOTICE.txt`, "utf8")).toContain(`${model}.safetensors`);
  }
});
