// `bun run check:package`: packs a clean clone of what is committed, installs the package in an empty project, and uses it there:
// from Bun, Node and Deno, with its types, and by its command. Needs the registry for the package's dependencies.
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openScorer } from "../../models/scoring/scorer.ts";
import { noisePictures, smallModel } from "../models/scoring/fixtures.ts";
import { findRuntimes } from "../runtime/runtimes.ts";

const root = new URL("../../", import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), "acutance-package-"));
const [clone, project] = [join(folder, "clone"), join(folder, "project")];
let failures = 0;

/** Runs a command and returns what it printed. @throws Error with that when it fails */
function run(words: readonly string[], cwd: string): string {
  const [program, ...rest] = words;
  const env = { ...process.env, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" };
  const { status, stdout, stderr, error } = spawnSync(program!, rest, { cwd, env, encoding: "utf8" });
  if (status === 0) return stdout;
  throw new Error(`${words.join(" ")}: ${error?.message ?? `ended with ${status}`}\n${stdout}${stderr}`);
}

async function step(name: string, work: () => string | Promise<string>): Promise<void> {
  const start = performance.now();
  const seconds = () => `${((performance.now() - start) / 1000).toFixed(1)} s`;
  try {
    console.log(`ok      ${name}: ${await work()} (${seconds()})`);
  } catch (error) {
    failures++;
    console.log(`failed  ${name} (${seconds()})\n${(error as Error).message}`);
  }
}

/** Every file of the clone that is no TypeScript must lie at the same place beside the compiled modules. */
function packed(): string {
  run(["git", "clone", "--quiet", root, clone], folder);
  symlinkSync(join(root, "node_modules"), join(clone, "node_modules"));
  // Standard output of the scripts that run before comes first.
  const output = run(["npm", "pack", "--json", "--silent"], clone);
  const listing = JSON.parse(output.slice(output.search(/^[[{]/m))) as {
    files: { path: string }[];
    filename: string;
  }[];
  const [{ files, filename }] = (Array.isArray(listing) ? listing : Object.values(listing)) as typeof listing as [
    (typeof listing)[0],
  ];
  const paths = new Set(files.map(({ path }) => path));
  // Weights are large and packed once, beside the sources.
  const needed = [...paths].filter(
    (path) => /^(engine|models|shaders)\//.test(path) && !/^models\/weights\/|\.(ts|md)$|tsconfig\.json$/.test(path),
  );
  const missing = needed.filter((path) => !paths.has(`dist/${path}`));
  if (missing.length > 0) throw new Error(`prepack leaves out of dist: ${missing.join(", ")}`);
  return `${filename}, ${files.length} files`;
}

function installed(): string {
  mkdirSync(project);
  writeFileSync(join(project, "package.json"), JSON.stringify({ name: "empty", type: "module", private: true }));
  const { version, devDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const types = "@types/node@24";
  run(
    ["npm", "install", "--no-audit", "--no-fund", "--prefer-offline", join(clone, `acutance-${version}.tgz`), types],
    project,
  );
  return `with types for TypeScript ${devDependencies.typescript}`;
}

const sample = `import { openScorer, PictureError, type PictureScore } from "acutance";
import { openScorer as openInPage, relu } from "acutance/browser";
import { type Device, openDevice, SharedDevice } from "acutance/engine";
import { openService } from "acutance/service";

await using scorer = await openScorer({ model: "model.safetensors", device: new SharedDevice(), batch: 4 });
const { score, range }: PictureScore = await scorer.score("picture.png", { signal: AbortSignal.timeout(1000) });
for await (const row of scorer.scoreMany(["a.jpg"])) if ("error" in row && row.error instanceof PictureError) row.error.reason;
await using service = await openService({ models: [{ model: "model.safetensors" }], urls: true });
const answer: Response = await service.fetch(new Request("http://localhost/health"));
using device: Device = await openDevice();
const limit: number = device.gpu.limits.maxBufferSize;
// @ts-expect-error a score is a number, also seen from here
const wrong: string = score;
const inPage = async (file: File): Promise<number> => (await (await openInPage({ model: "fast" })).score(file)).score;
console.log(range[0], answer.status, limit, wrong, inPage, relu);
`;

function typed(resolution: string, module: string): string {
  writeFileSync(join(project, "sample.ts"), sample);
  const compilerOptions = {
    ...{ target: "esnext", lib: ["esnext", "dom"], types: ["node"], strict: true, noEmit: true, skipLibCheck: false },
    ...{ module, moduleResolution: resolution },
  };
  writeFileSync(join(project, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["sample.ts"] }));
  run([join(root, "node_modules/.bin/tsc")], project);
  return "no complaint, libraries checked too";
}

const program = `import { openScorer } from "acutance";
import { openService } from "acutance/service";
await using scorer = await openScorer({ model: "model.safetensors" });
const { score } = await scorer.score("picture.png");
await using service = await openService({ models: [{ model: "model.safetensors" }] });
const page = await service.fetch(new Request("http://localhost/"));
await using own = await openScorer();
if (!Number.isFinite((await own.score("picture.png")).score)) throw new Error("the model that comes along gives no score");
console.log(JSON.stringify([score, page.status, (await page.text()).length]));
`;

async function expectedScore(): Promise<number> {
  const [picture] = await noisePictures(1);
  writeFileSync(join(project, "picture.png"), picture!);
  cpSync(await smallModel(folder), join(project, "model.safetensors"));
  await using scorer = await openScorer({ model: join(project, "model.safetensors") });
  return (await scorer.score(picture!)).score;
}

await step("npm pack of a clean clone", packed);
await step("npm install in an empty project", installed);
await step("types, moduleResolution bundler", () => typed("bundler", "esnext"));
await step("types, moduleResolution nodenext", () => typed("nodenext", "nodenext"));
const expected = await expectedScore();
writeFileSync(join(project, "program.js"), program);
for (const runtime of findRuntimes()) {
  if ("missing" in runtime) {
    console.log(`skipped ${runtime.name}: ${runtime.missing}`);
    continue;
  }
  await step(`a picture is scored under ${runtime.name}`, () => {
    const output = run([...runtime.command, ...runtime.run, "program.js"], project);
    const [score, status, length] = JSON.parse(output.trim().split("\n").at(-1)!) as [number, number, number];
    // Another WebGPU has other bits.
    if (!(Math.abs(score - expected) < 1e-3) || status !== 200 || !(length > 10_000)) throw new Error(output);
    return `${score}`;
  });
}
await step("the command", () => run(["bun", join(project, "node_modules/.bin/acutance"), "--version"], project).trim());
rmSync(folder, { recursive: true });
process.exit(failures > 0 ? 1 : 0);
