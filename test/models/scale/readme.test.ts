import { describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { noisePictures, smallModel } from "../scoring/fixtures.ts";
import { startRedis, withoutRedis } from "./servers.ts";

const text = await readFile(new URL("../../../models/scale/README.md", import.meta.url), "utf8");
const snippets = (language: string) =>
  [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, "gms"))].map(([, code]) => code!);

describe("README of scale", () => {
  test("has commands with options that there are", async () => {
    for (const line of snippets("sh").join("").trim().split("\n")) {
      expect(spawnSync("bash", ["-n", "-c", line]).status).toBe(0);
      const [, name] = /^acutance (\w+)/.exec(line)!;
      const program = new Command();
      (await import(`../../../cli/${name}.ts`)).register(program);
      const known = program.commands[0]!.options.map(({ long }) => long);
      for (const option of line.replace(/#.*/, "").match(/--[a-z-]+/g) ?? []) expect(known).toContain(option);
    }
  });

  test.skipIf(withoutRedis !== undefined)(
    `has code that runs as it stands${withoutRedis ? ` (${withoutRedis})` : ""}`,
    async () => {
      // Inside the package, so that it is found by its own name.
      const folder = await mkdtemp(join(import.meta.dirname, ".readme-"));
      const data = await mkdtemp(join(tmpdir(), "acutance-readme-redis-"));
      try {
        await smallModel(folder, "model");
        await mkdir(join(folder, "inbox"));
        for (const [i, bytes] of (await noisePictures(3)).entries())
          await writeFile(join(folder, `inbox/${i}.png`), bytes);
        await writeFile(join(folder, "inbox/words.jpg"), "words");
        await using redis = await startRedis(data);
        const [code, ...others] = snippets("ts");
        expect(others).toEqual([]);
        await writeFile(
          join(folder, "snippet.ts"),
          code!.replace("store:", 'scorer: { model: "model.safetensors" }, store:'),
        );
        const { stdout, stderr } = spawnSync(process.execPath, ["snippet.ts"], {
          cwd: folder,
          encoding: "utf8",
          env: { ...process.env, ACUTANCE_QUEUE: redis.url },
        });
        expect([stderr, stdout]).toEqual([
          "",
          expect.stringMatching(/^4 sent, 3 scored, 1 given up\n\/.*inbox\/words\.jpg It is a text\.\n$/),
        ]);
      } finally {
        await rm(folder, { recursive: true, force: true });
        await rm(data, { recursive: true, force: true });
      }
    },
  );
});
