import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { answerSchema, mapSchema, scoreSchema } from "../../../models/service/index.ts";
import { startServing, withParent } from "../../cli/serving.ts";
import { atLeast } from "../../runtime/runtimes.ts";
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
  const [embedding, sharing, upload, mounted, ...others] = snippets("ts");

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

  test("of a shared device opens one", async () => {
    const { lines, exit } = await start(sharing!);
    expect(await exit).toBe(0);
    expect(lines).toEqual(["true 2"]);
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
    expect(served).toHaveLength(4);
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

describe.skipIf(!hasBun || !has("curl"))("URLs", () => {
  test("are taken where they are allowed, and this machine's own are refused", async () => {
    const words = ["--model", join(folder, "model.safetensors"), "--allow-urls"];
    const serving = await startServing([process.execPath], words);
    running.push(serving.child);
    const [, line] = snippets("sh")
      .find((code) => code.includes("--allow-urls"))!
      .trim()
      .split("\n");
    const command = line!
      .replace("http://127.0.0.1:8080", serving.url)
      .replace("https://example.org/photo.jpg", `${serving.url}/photo.jpg`);
    const answer = spawnSync("bash", ["-c", command], { cwd: folder, encoding: "utf8" }).stdout;
    expect(answerSchema.parse(JSON.parse(answer)).pictures).toMatchObject([{ error: { code: "url-refused" } }]);
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

  const dockerfile = snippets("dockerfile")[0]!.replaceAll("\\\n", " ").trim().split("\n");
  const words = (instruction: string) =>
    dockerfile.filter((line) => line.startsWith(`${instruction} `)).map((line) => line.slice(instruction.length + 1));

  test("the Dockerfile copies what there is, and its command is a list", async () => {
    const known = ["FROM", "RUN", "WORKDIR", "COPY", "USER", "ENV", "EXPOSE", "ENTRYPOINT", "CMD"];
    for (const line of dockerfile) expect(known).toContain(line.split(" ")[0]!);
    const copied = words("COPY").flatMap((line) => line.split(/\s+/).slice(0, -1));
    for (const path of copied) expect({ path, exists: existsSync(join(root, path)) }).toEqual({ path, exists: true });
    for (const command of words("RUN")) expect(spawnSync("bash", ["-n", "-c", command]).status).toBe(0);
    const [program, script] = JSON.parse(words("ENTRYPOINT")[0]!) as string[];
    expect([program, JSON.parse(words("CMD")[0]!)[0]]).toEqual(["bun", "serve"]);
    expect(copied).toContain(script!.split("/")[0]!);
    expect(existsSync(join(root, script!))).toBe(true);
    // What is packed for others is what is copied here.
    const { files, engines } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
    const rooms = (files as string[]).filter((file) => !file.startsWith("!") && file !== "dist");
    expect(copied.toSorted()).toEqual([...rooms, "bun.lock", "package.json"].toSorted());
    const version = /bun@([\d.]+)/.exec(words("RUN").join(" "))![1]!;
    expect(await readFile(join(root, ".ci/run"), "utf8")).toContain(`bun@${version}`);
    expect(atLeast(version, engines.bun.replace(">=", ""))).toBe(true);
  });

  test("ports, folders and times agree with the service's own", async () => {
    const { stdout: help } = spawnSync(process.execPath, [join(root, "cli/main.ts"), "serve", "--help"], {
      encoding: "utf8",
      env: { ...process.env, COLUMNS: "200" },
    });
    const ofService = (option: string) => Number(new RegExp(`--${option} [^]*?default:\\s+(\\d+)`).exec(help)![1]);
    const port = ofService("port");
    expect(words("EXPOSE")).toEqual([String(port)]);
    const published = [...text.matchAll(/--publish 127\.0\.0\.1:(\d+):(\d+)/g)];
    expect(published.map(([, outer, inner]) => [Number(outer), Number(inner)])).toEqual(Array(3).fill([port, port]));
    expect([...(text.match(/127\.0\.0\.1:\d+\/v1/g) ?? [])]).toEqual(Array(4).fill(`127.0.0.1:${port}/v1`));
    const longest = ofService("body-seconds") + ofService("score-seconds") + 5;
    for (const [, seconds] of text.matchAll(/(?:TimeoutStopSec=|--stop-timeout )(\d+)/g)) {
      expect(Number(seconds)).toBeGreaterThan(longest);
    }
    const [cache] = words("ENV")[0]!.split("=");
    expect(await readFile(join(root, "engine/tune/cache-folder.ts"), "utf8")).toContain(cache!);
  });

  test("the screenshot is there and small", async () => {
    const [, path] = /!\[[^\]]+\]\(([^)]+)\)/.exec(text)!;
    const { size } = await stat(join(root, "models/service", path!));
    expect(size).toBeLessThan(200_000);
  });
});
