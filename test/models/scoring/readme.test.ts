import { expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { noisePictures, smallModel } from "./fixtures.ts";

const root = new URL("../../../", import.meta.url).pathname;

/** What each snippet prints. */
const printed: Readonly<Record<string, readonly RegExp[]>> = {
  "models/scoring/README.md": [/^[ab]\.jpg is taken\n$/, /^55 \{.*value: 0\.97.*\} 0[\d.]* (true|false)\n$/s],
  "models/store/README.md": [
    // In the order in which they are scored.
    /^(?:[ab]\.jpg [\d.]+ scored\n){2}.*a\.jpg [\d.]+ 64\n.*b\.jpg [\d.]+ 64\n$/,
    /^new or changed: \[ "inbox\/a\.jpg" \] gone: \[\]\n$/,
  ],
};

test.skipIf(process.versions["bun"] === undefined)("the snippets of README run as they stand", async () => {
  // Inside the package, so that it is found by its own name.
  const folder = await mkdtemp(join(import.meta.dirname, ".readme-"));
  try {
    await smallModel(folder, "model");
    await mkdir(join(folder, "inbox"));
    for (const [i, bytes] of (await noisePictures(2)).entries()) {
      const jpeg = await sharp(bytes).jpeg().toBuffer();
      await writeFile(join(folder, `${"ab"[i]}.jpg`), jpeg);
      if (i === 0) await writeFile(join(folder, "inbox/a.jpg"), jpeg);
    }
    for (const [readme, outputs] of Object.entries(printed)) {
      const text = await readFile(join(root, readme), "utf8");
      const snippets = [...text.matchAll(/^```ts\n(.*?)^```/gms)].map(([, code]) => code!);
      expect(snippets).toHaveLength(outputs.length);
      for (const [i, code] of snippets.entries()) {
        const small = code.replace("openScorer({", 'openScorer({ model: "model.safetensors",');
        await writeFile(join(folder, "snippet.ts"), small);
        const { stdout, stderr } = spawnSync(process.execPath, ["snippet.ts"], { cwd: folder, encoding: "utf8" });
        expect([stderr, stdout]).toEqual(["", expect.stringMatching(outputs[i]!)]);
      }
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
