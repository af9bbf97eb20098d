// `bun run build:browser`: bundles the engine and the scorer for pages, as dist/browser/index.js. Where a file needs the system, the one
// beside it that is named `.browser.ts` takes its place; the kernels' texts are part of the bundle.
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import type { BunPlugin } from "bun";
import { readShader, shaderFiles } from "../../engine/kernel/files.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

const forPages: BunPlugin = {
  name: "for pages",
  setup(build) {
    build.onResolve({ filter: /^\.{1,2}\/.*\.ts$/ }, ({ path, importer }) => {
      const file = resolve(dirname(importer), path);
      const twin = file.replace(/\.ts$/, ".browser.ts");
      return { path: existsSync(twin) ? twin : file };
    });
    build.onResolve({ filter: /^acutance:shaders$/ }, () => ({ path: "shaders", namespace: "acutance" }));
    build.onLoad({ filter: /^shaders$/, namespace: "acutance" }, () => {
      const texts = Object.fromEntries(shaderFiles().map((name) => [name, bare(readShader(name))]));
      return { contents: JSON.stringify(texts), loader: "json" };
    });
    // Bun would fill in a substitute without a word.
    build.onResolve({ filter: /^(node|bun):/ }, ({ path, importer }) => {
      throw new Error(`${importer} imports ${path}, which no page has: it needs a file beside it named .browser.ts`);
    });
  },
};

/** A kernel without comments, but for those that are steps of the template, and without indents. */
function bare(text: string): string {
  const lines = text.split("\n").map((line) => line.replace(/\/\/(?!#).*$/, "").trim());
  return lines.filter(Boolean).join("\n");
}

/** Licences of what the bundle holds of others. */
function notices(packages: readonly string[]): string {
  const texts = packages.map((name) => {
    const folder = join(root, "node_modules", name);
    const licence = ["LICENSE", "LICENSE.md", "LICENSE.txt"].map((file) => join(folder, file)).find(existsSync);
    const { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    return `${name} ${version} (${license})\n\n${licence ? readFileSync(licence, "utf8").trim() : ""}`;
  });
  return `This bundle holds parts of these packages.\n\n${texts.join(`\n\n${"-".repeat(80)}\n\n`)}\n`;
}

/** The bundle's text, and the packages that it holds parts of. @param entry by default what `acutance/browser` exports */
export async function bundle(
  entry = join(root, "models/browser/index.ts"),
): Promise<{ readonly text: string; readonly packages: readonly string[] }> {
  const { outputs, metafile } = await Bun.build({
    entrypoints: [entry],
    target: "browser",
    format: "esm",
    minify: true,
    metafile: true,
    plugins: [forPages],
  });
  const inputs = Object.keys(metafile?.inputs ?? {});
  const names = inputs.flatMap((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? []);
  return { text: await outputs[0]!.text(), packages: [...new Set(names)].sort() };
}

if (import.meta.url === pathToFileURL(process.argv[1]!).href) {
  const { text, packages } = await bundle();
  await Bun.write(join(root, "dist/browser/index.js"), text);
  await Bun.write(join(root, "dist/browser/NOTICES.txt"), notices(packages));
  const kilobytes = (bytes: number) => `${Math.round(bytes / 1e3)} kB`;
  const size = `${kilobytes(Buffer.byteLength(text))}, ${kilobytes(gzipSync(text, { level: 9 }).length)} by gzip`;
  console.log(`dist/browser/index.js: ${size}, with parts of ${packages.join(", ")}`);
}
