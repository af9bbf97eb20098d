/**
 * A training of several ranks of which one is killed at a random moment, again and again, and which is resumed each time: does it end with the bits
 * of an undisturbed one?
 *
 *   bun test/bench/ranks-soak.ts [kills] [ranks]
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { runArguments } from "../../engine/device/check.ts";
import { Random } from "../../engine/random.ts";
import { blurredPictures } from "../models/training/pictures.ts";
import { mpirun } from "../models/training/with-ranks.ts";

const [kills, size] = [Number(process.argv[2] ?? 20), Number(process.argv[3] ?? 2)];
const main = new URL("../../cli/main.ts", import.meta.url).pathname;
const folder = await mkdtemp(join(tmpdir(), "acutance-soak-"));
const random = new Random(3, "kills");
const rows = await blurredPictures(join(folder, "pictures"), 30);
await writeFile(join(folder, "mos.csv"), `name,mos\n${rows.map(({ name, mos }) => `${name},${mos}`).join("\n")}\n`);

const options = [
  ...[
    "--data",
    join(folder, "pictures"),
    "--csv",
    join(folder, "mos.csv"),
    "--range",
    "0:100",
    "--no-tune",
    "--no-check",
  ],
  ...["--stages", "1", "--embedding", "16", "--levels", "20", "--resize", "36", "--crop", "32", "--neighbours", "3"],
  ...["--stage-one-epochs", "4", "--stage-two-epochs", "10", "--stage-one-batch", "4", "--labelled-batch", "4"],
  ...["--unlabelled-batch", "6", "--checkpoint-seconds", "0"],
];

/** Runs to its end, or until a rank is killed. */
async function train(
  words: readonly string[],
  mayKill: boolean,
): Promise<{ killed: boolean; said: string; status: unknown }> {
  const [command, ...start] = [...mpirun(size), process.execPath, ...runArguments(), main, "train", "cpl", ...words];
  const child = spawn(command!, start, { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (said += text));
  const end = once(child, "exit");
  let killed = false;
  if (mayKill) {
    // Sometimes at once, sometimes long after the first step.
    while (!/epoch \d+ of/.test(said) && child.exitCode === null && random.uniform() < 0.995) await setTimeout(50);
    await setTimeout(random.uniform() * 6000);
    const ranks = await ranksOf(child.pid!);
    const victim = ranks[random.integer(Math.max(1, ranks.length))];
    if (victim !== undefined && child.exitCode === null) {
      process.kill(victim, "SIGKILL");
      killed = true;
    }
  }
  const [status] = await end;
  return { killed, said, status };
}

/** Process numbers of the ranks that mpirun started. */
async function ranksOf(parent: number): Promise<number[]> {
  const children = await readFile(`/proc/${parent}/task/${parent}/children`, "utf8").catch(() => "");
  return children.trim().split(" ").filter(Boolean).map(Number);
}

const whole = join(folder, "whole");
const cut = join(folder, "cut");
const undisturbed = await train([...options, "--out", whole], false);
if (undisturbed.status !== 0) throw new Error(undisturbed.said);
let [done, told] = [0, 0];
for (let left = 3 * kills; done < kills && left > 0; left--) {
  const resumes = existsSync(join(cut, "checkpoint.safetensors"));
  const { killed, said, status } = await train(
    resumes ? ["--resume", cut, "--checkpoint-seconds", "0"] : [...options, "--out", cut],
    true,
  );
  if (!killed && status === 0) await rm(cut, { recursive: true });
  if (!killed) continue;
  done++;
  if (/rank \d+ of \d+ \(process \d+ on .*\) has died/.test(said)) told++;
  else console.log(said.split("\n").slice(-12).join("\n"));
  console.log(`kill ${done}: exit ${status}, ${/epoch \d+ of \d+/g.exec(said)?.[0] ?? "before the first step"}`);
}
const last = await train(existsSync(cut) ? ["--resume", cut] : [...options, "--out", cut], false);
const same =
  Buffer.compare(await readFile(join(whole, "model.safetensors")), await readFile(join(cut, "model.safetensors"))) ===
  0;
console.log(JSON.stringify({ kills: done, namedTheRank: told, end: last.status, sameBits: same }));
await rm(folder, { recursive: true });
if (!same) process.exit(1);
