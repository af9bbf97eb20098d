import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openStore } from "../../models/store/index.ts";
import { freePort, type Server, startRedis, withoutRedis } from "../models/scale/servers.ts";
import { knownScores } from "../models/scoring/fixtures.ts";

const main = new URL("../../cli/main.ts", import.meta.url).pathname;
const password = "open:sesame/1";
let folder = "";
let model = "";
let expected: number[] = [];
let redis: Server;

beforeAll(async () => {
  if (withoutRedis) return;
  folder = await mkdtemp(join(tmpdir(), "acutance-worker-"));
  const known = await knownScores(folder, 4);
  ({ model, expected } = known);
  await mkdir(join(folder, "photos/sub"), { recursive: true });
  for (const [i, bytes] of known.pictures.entries())
    await writeFile(join(folder, `photos/${i < 2 ? "" : "sub/"}${i}.png`), bytes);
  await writeFile(join(folder, "photos/words.jpg"), "no picture");
  redis = await startRedis(join(folder, "redis"), [], password);
});
afterAll(async () => {
  await redis?.[Symbol.asyncDispose]();
  if (folder) await rm(folder, { recursive: true, force: true });
});

function acutance(words: string[], environment: Record<string, string> = {}, input?: string) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...words], {
    cwd: folder,
    encoding: "utf8",
    env: { ...process.env, NO_COLOR: "1", ...environment },
    ...(input !== undefined && { input }),
  });
  const told = stdout + stderr;
  for (const secret of [password, encodeURIComponent(password), "sesame"]) expect(told).not.toContain(secret);
  return { status, stdout, stderr };
}

describe.skipIf(withoutRedis !== undefined)(`enqueue and worker${withoutRedis ? ` (${withoutRedis})` : ""}`, () => {
  test("score a folder by way of a queue", async () => {
    const queue = ["--queue", redis.url];
    const place = `redis://127.0.0.1:${redis.port}`;
    const sent = acutance(["enqueue", "photos", "--root", ".", ...queue]);
    expect(sent.stdout).toMatch(new RegExp(`^5 pictures sent to ${place} in `));
    expect(JSON.parse(acutance(["enqueue", "--status", "--json", ...queue]).stdout)).toMatchObject({
      queue: place,
      pictures: 5,
      workers: 0,
    });
    const worked = acutance(
      ["worker", "--model", model, "--store", "s.db", "--root", ".", "--until-empty", "--http", "127.0.0.1:0"],
      { ACUTANCE_QUEUE: redis.url },
    );
    expect([worked.status, worked.stderr]).toEqual([0, ""]);
    const events = worked.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(events.map(({ event }) => event)).toEqual(["working", "given-up", "draining", "stopped"]);
    expect(events[0]).toMatchObject({ queue: place, url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/) });
    using store = await openStore(join(folder, "s.db"));
    const scores = [...store.pictures()].flatMap(({ result }) => ("score" in result ? [result.score] : []));
    expect(scores).toEqual(expected);
    const dead = acutance(["enqueue", "--dead", "--json", ...queue]);
    expect(JSON.parse(dead.stdout)).toMatchObject({ picture: "photos/words.jpg", reason: "not-a-picture", tries: 1 });
    // All is done when one waits for it: what is in the store is not scored again.
    acutance(["enqueue", "-", "--root", ".", ...queue], {}, "photos/0.png\nphotos/sub/3.png\n");
    acutance(["worker", "--model", model, "--store", "s.db", "--root", ".", "--until-empty", ...queue]);
    const waited = acutance(["enqueue", "--wait", "--json", ...queue]);
    expect([waited.status, JSON.parse(waited.stdout)]).toEqual([1, { sent: 0, scored: 0, stored: 0, dead: 1 }]);
    expect(acutance(["enqueue", "--status", ...queue]).stdout).toContain("4 scored, 2 found in the store, 1 given up");
    expect(acutance(["enqueue", "--retry-dead", ...queue]).stdout).toStartWith("1 pictures sent");
  });

  test("say what is wrong, and never a password", async () => {
    const away = await freePort();
    const wrong: readonly (readonly [words: string[], says: string, status: number])[] = [
      [["worker"], "--store scores.db", 2],
      [["worker", "--store", "s.db"], "no queue is given", 2],
      [["worker", "--store", "s.db", "--queue", "redis://:sesame@[bad"], "is no address of a Redis", 1],
      [
        ["worker", "--store", "s.db", "--queue", redis.url.replace(encodeURIComponent(password), "wrong-sesame")],
        "refuses the name or password",
        1,
      ],
      [["worker", "--store", "s.db", "--queue", `redis://127.0.0.1:${redis.port}`], "asks for a password", 1],
      [["worker", "--store", `postgres://me:sesame@127.0.0.1:${away}/x`, "--queue", redis.url], "cannot be used", 1],
      [
        ["worker", "--store", "s.db", "--queue", redis.url, "--model", "none.safetensors"],
        "--model none.safetensors is not there",
        1,
      ],
      [["worker", "--store", "s.db", "--http", "99999", "--queue", redis.url], "expected a port", 2],
      [["enqueue", "--queue", redis.url], "which pictures?", 2],
      [["enqueue", "nothing", "--queue", redis.url], "nothing cannot be read", 1],
      [["enqueue", "photos", "--root", "elsewhere", "--queue", redis.url], "does not lie in the root", 1],
      [["enqueue", "photos", "--status", "--queue", redis.url], "--status sends no pictures", 2],
    ];
    for (const [words, says, status] of wrong) {
      const told = acutance(words, { ACUTANCE_QUEUE: "", REDIS_URL: "", ACUTANCE_STORE: "" });
      expect([words.join(" "), told.stderr.replace("The model none", "--model none"), told.status]).toEqual([
        words.join(" "),
        expect.stringContaining(says),
        status,
      ]);
    }
  });

  test.skipIf(spawnSync("redis-cli", ["-p", "6379", "ping"]).status === 0)(
    "--local without a Redis says how to install one",
    () => {
      for (const words of [
        ["worker", "--local", "--store", "s.db"],
        ["enqueue", "photos", "--local"],
      ]) {
        const { status, stderr } = acutance(words);
        expect([status, stderr]).toEqual([
          1,
          expect.stringMatching(/no Redis answers at redis:\/\/127\.0\.0\.1:6379.*apt install redis-server/s),
        ]);
      }
    },
  );
});
