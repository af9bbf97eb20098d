import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { answerSchema, mapSchema, scoreSchema } from "../../../models/service/index.ts";
import { startServing, withParent } from "../../cli/serving.ts";
import { smallModel } from "../scoring/fixtures.ts";
import { realPictures } from "./real-pictures.ts";

const root = new URL("../../../", import.meta.url).pathname;
const text = await readFile(join(root, "models/service/README.md"), "utf8");
const snippets = (language: string) =>
  [...text.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, "gms"))].map(([, code]) => code!);

const hasBun = process.versions["bun"] !== undefined;
const has = (command: string) => spawnSync(command, ["--version"]).status === 0;

let folder = "";
const running: ChildProcess[] = [];

beforeAll(async () => {
  // Inside the package, so that it is found by its own name.
  folder = await mkdtemp(join(import.meta.dirname, ".readme-"));
  await smallModel(folder, "model");
  const [picture] = await realPictures(1);
  await writeFile(join(folder, "photo.jpg"), picture!.bytes);
});

afterAll(async () => {
  for (const child of running) child.kill("SIGKILL");
  await rm(folder, { recursive: true, force: true });
});

describe.skipIf(!hasBun)("code", () => {
  const [embedding, upload, mounted, ...others] = snippets("ts");

  async function start(code: string) {
    const path = join(folder, `${running.length}.ts`);
    await writeFile(path, code);
    const child = spawn(process.execPath, [...withParent, path], { cwd: folder, env: { ...process.env, PORT: "0" } });
    running.push(child);
    const lines: string[] = [];
    const first = Promise.withResolvers<string>();
    createInterface({ input: child.stdout }).on("line", (line) => {
      lines.push(line);
      first.resolve(line);
    });
    let complaints = "";
    child.stderr.on("data", (data) => (complaints += data));
    const exit = once(child, "exit").then(([status]) => {
      first.reject(new Error(complaints));
      return status as number | null;
    });
    first.promise.catch(() => {});
    return { child, lines, first: first.promise, exit };
  }

  const picture = () => readFile(join(folder, "photo.jpg"));

  test("of the library scores a picture and says why another has no score", async () => {
    const { lines, exit } = await start(embedding!);
    expect(await exit).toBe(0);
    expect(lines[0]).toMatch(/^\d+\.\d+ ± \d+\.\d+ of 0,100$/);
    expect(lines[1]).toBe(`photo.jpg ${lines[0]!.split(" ")[0]}`);
    expect(lines[2]).toStartWith("missing.jpg ");
    expect(lines[2]).not.toMatch(/^missing\.jpg [\d.]+$/);
  });

  test("of the upload path answers pictures with scores and others with 422", async () => {
    const { child, first } = await start(upload!);
    const url = await first;
    const good = await fetch(url, { method: "POST", body: await picture() });
    expect(await good.json()).toMatchObject({ score: expect.any(Number), accepted: expect.any(Boolean) });
    expect((await fetch(url, { method: "POST", body: "words" })).status).toBe(422);
    child.kill();
  });

  test("of the mounted service answers beside the host's own routes and ends at SIGTERM", async () => {
    const { child, first, exit } = await start(mounted!);
    const url = await first;
    expect(await (await fetch(url)).text()).toBe("our own page");
    expect(await (await fetch(`${url}quality`)).text()).toContain("<title>Acutance");
    const headers = { "content-type": "image/jpeg" };
    const response = await fetch(`${url}quality/v1/score`, { method: "POST", body: await picture(), headers });
    expect(answerSchema.parse(await response.json()).pictures).toHaveLength(1);
    child.kill("SIGTERM");
    expect(await exit).toBe(0);
  });

  test("is all of it", () => expect(others).toEqual([]));
});

describe.skipIf(!hasBun)("commands", () => {
  const shell = snippets("sh");

  test("are those of a shell, with options that the command has", () => {
    for (const code of shell) expect(spawnSync("bash", ["-n", "-c", code], { encoding: "utf8" }).stderr).toBe("");
    const help = spawnSync(process.execPath, [join(root, "cli/main.ts"), "serve", "--help"], {
      encoding: "utf8",
    }).stdout;
    const served = text.split("\n").filter((line) => /\bserve\b.* --model|"serve".*"--model"/.test(line));
    expect(served).toHaveLength(3);
    for (const option of served.join("\n").match(/--[a-z-]+/g)!) expect(help).toContain(`${option} `);
  });

  test.skipIf(!has("curl"))("of the service give what they should", async () => {
    const serving = await startServing([process.execPath], ["--model", join(folder, "model.safetensors")]);
    running.push(serving.child);
    const [score, stream, map, document] = shell
      .find((code) => code.startsWith("curl"))!
      .trim()
      .split("\n")
      .map((line) => {
        const command = line.replace("http://127.0.0.1:8080", serving.url);
        return spawnSync("bash", ["-c", command], { cwd: folder, encoding: "utf8" }).stdout;
      });
    expect(answerSchema.parse(JSON.parse(score!)).pictures).toHaveLength(1);
    expect(
      stream!
        .trim()
        .split("\n")
        .map((line) => scoreSchema.parse(JSON.parse(line)).name),
    ).toEqual(["photo.jpg", "photo.jpg"]);
    expect(mapSchema.parse(JSON.parse(map!)).scores.flat().length).toBeGreaterThan(1);
    expect(JSON.parse(document!)).toMatchObject({ openapi: "3.1.0" });
    serving.child.kill("SIGTERM");
    expect(await serving.exit).toBe(0);
  });
});

describe("deployment", () => {
  test.skipIf(!has("systemd-analyze"))("the unit is one of systemd", async () => {
    const path = join(folder, "acutance.service");
    // Where this runs, the program lies elsewhere.
    await writeFile(path, snippets("ini")[0]!.replace("/usr/local/bin/bun", process.execPath));
    const { status, stderr } = spawnSync("systemd-analyze", ["verify", path], { encoding: "utf8" });
    expect({ status, complaints: stderr.split("\n").filter((line) => line.includes("acutance.service")) }).toEqual({
      status: 0,
      complaints: [],
    });
  });

  test("the Dockerfile copies what there is, and its command is a list", () => {
    const instructions = snippets("dockerfile")[0]!.replaceAll("\\\n", " ").trim().split("\n");
    const known = ["FROM", "RUN", "WORKDIR", "COPY", "USER", "ENV", "EXPOSE", "ENTRYPOINT", "CMD"];
    const copied: string[] = [];
    for (const instruction of instructions) {
      const [word, ...rest] = instruction.split(/\s+/);
      expect(known).toContain(word!);
      if (word === "COPY") copied.push(...rest.slice(0, -1));
      if (word === "RUN") expect(spawnSync("bash", ["-n", "-c", rest.join(" ")]).status).toBe(0);
      if (word === "CMD" || word === "ENTRYPOINT") expect(JSON.parse(rest.join(" "))).toBeArray();
    }
    for (const path of copied) expect({ path, exists: existsSync(join(root, path)) }).toEqual({ path, exists: true });
  });
});
