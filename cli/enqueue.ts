import { type Command, Option } from "commander";
import { printable } from "../models/data/files/file-name.ts";
import { pictureNames } from "../models/scale/names.ts";
import { openQueue, type PictureQueue, type QueueStatus } from "../models/scale/queue.ts";
import { QueueError } from "../models/scale/queue-error.ts";
import { redacted } from "../models/scale/redact.ts";
import { wholeNumber } from "./data-options.ts";
import { interruptible } from "./interrupt.ts";
import { standardOutput } from "./output.ts";
import { addQueueOptions, installWords, type QueueFlags, queueUrl } from "./queue-option.ts";
import { formatSeconds, pairs, progress } from "./terminal.ts";
import { UsageError } from "./usage-error.ts";

interface EnqueueFlags extends QueueFlags {
  readonly root?: string;
  readonly wait?: boolean;
  readonly mostWaiting?: number;
  readonly status?: boolean;
  readonly dead?: boolean;
  readonly retryDead?: boolean;
  readonly json?: boolean;
}

export function register(program: Command): void {
  const enqueue = program
    .command("enqueue")
    .description("send pictures to a queue, from which `acutance worker` takes them")
    .argument(
      "[pictures...]",
      "folders, pictures, lists of names (.txt), s3://bucket/prefix; - for names by standard input",
    );
  addQueueOptions(enqueue)
    .option(
      "--root <folder>",
      "name files relative to this folder, which workers may have at another place (their --root)",
    )
    .option("--most-waiting <n>", "pictures that wait at a time; more are sent as workers take them", wholeNumber(1))
    .option("--wait", "wait until the queue is empty, and sum up")
    .addOption(new Option("--status", "only say where the queue is").conflicts(["dead", "retryDead", "wait"]))
    .addOption(
      new Option("--dead", "only list the pictures that were given up, and why").conflicts(["retryDead", "wait"]),
    )
    .option("--retry-dead", "send the pictures that were given up again")
    .option("--json", "print JSON: one document; --dead: a line for each picture")
    .addHelpText("after", notes)
    .action(run);
}

const notes = `
Names are read and sent some at a time: a hundred million take no more memory here than ten thousand. Some 32 of them are a job. A folder that is
sent again while it waits waits once; what is in the workers' store is not scored again. Exit code: 0 when all was sent, with --wait when
all was scored; 1 when --wait finds pictures that were given up.

Lists have a path, URL or s3://bucket/key in each line; paths are relative to the folder that this runs in.`;

async function run(words: string[], flags: EnqueueFlags): Promise<void> {
  const { status, dead, retryDead, wait, root, json } = flags;
  const asks = status || dead;
  if (asks && words.length > 0)
    throw new UsageError(
      `${status ? "--status" : "--dead"} sends no pictures: leave ${words.length === 1 ? "it" : "them"} out`,
    );
  if (!asks && !retryDead && !wait && words.length === 0)
    throw new UsageError("which pictures? Name folders, lists, s3://bucket/prefix or -");
  using stop = interruptible("interrupted");
  const { signal } = stop;
  const note = (text: string) => console.error(`note: ${redacted(text)}`);
  await using queue = await openQueue(queueUrl(flags), {
    name: flags.name,
    onNote: note,
    signal,
    waits: !flags.local,
  }).catch((error: unknown) => {
    const isAbsent = flags.local && error instanceof QueueError && /no Redis answers/.test(error.message);
    throw isAbsent ? new QueueError(error.message, installWords, { cause: error }) : error;
  });
  if (status) return tellStatus(queue, await queue.status(), json);
  if (dead) return listDead(queue, json);
  const before = await queue.status();
  const sent = { pictures: 0, waited: 0 };
  const start = performance.now();
  try {
    if (retryDead) sent.pictures += await queue.retryDead({ signal });
    for (const word of words) {
      const counted = counter(`sending ${printable(word)}`);
      const names = pictureNames(word, { ...(root !== undefined && { root }), onNote: note, signal });
      const { mostWaiting } = flags;
      const some = await queue.add(names, {
        signal,
        ...(mostWaiting !== undefined && { mostWaiting }),
        onProgress: counted,
      });
      sent.pictures += some.pictures;
      sent.waited += some.waited;
    }
  } catch (error) {
    if (error instanceof Error) error.message = redacted(error.message);
    throw error;
  }
  const seconds = (performance.now() - start) / 1000;
  if (!wait) {
    if (json) standardOutput.append(`${JSON.stringify({ sent: sent.pictures, waited: sent.waited, seconds })}\n`);
    else
      console.log(
        `${sent.pictures} pictures sent to ${queue.place} in ${formatSeconds(seconds)}${sent.waited > 0 ? `, ${sent.waited} of them waited already` : ""}`,
      );
    return;
  }
  await waitFor(queue, before, { signal, json: json === true, sent: sent.pictures });
}

/** Says from time to time how many pictures were sent. */
function counter(label: string): (pictures: number) => void {
  let [told, pictures] = [performance.now(), 0];
  const say = () => console.error(`${label}: ${pictures}`);
  return (count) => {
    pictures = count;
    if (performance.now() - told < 2000) return;
    told = performance.now();
    say();
  };
}

interface Waiting {
  readonly signal: AbortSignal;
  readonly json: boolean;
  readonly sent: number;
}

async function waitFor(queue: PictureQueue, before: QueueStatus, { signal, json, sent }: Waiting): Promise<void> {
  const first = await queue.status();
  const bar = progress("scoring", first.pictures);
  let shown = 0;
  let workers = first.workers;
  if (workers === 0) console.error("note: no worker is connected; start some with `acutance worker`");
  const end = await queue
    .wait({
      signal,
      onProgress: (now) => {
        const done = Math.max(0, Math.min(first.pictures, first.pictures - now.pictures));
        if (done > shown) bar.advance(done - shown, `${now.workers} workers`);
        shown = Math.max(shown, done);
        if (now.workers === 0 && workers > 0) console.error("note: no worker is connected any more");
        workers = now.workers;
      },
    })
    .finally(() => bar.stop());
  const since = (field: keyof QueueStatus["totals"]) => Math.max(0, end.totals[field] - before.totals[field]);
  const summary = { sent, scored: since("scored"), stored: since("stored"), dead: end.dead };
  if (json) standardOutput.append(`${JSON.stringify(summary)}\n`);
  else
    console.log(
      `${summary.scored} pictures were scored, ${summary.stored} were in the store, ${summary.dead} are given up${summary.dead > 0 ? ": `acutance enqueue --dead` lists them" : ""}`,
    );
  if (end.dead > 0) {
    process.exitCode = 1;
    if (json) return;
    let listed = 0;
    for await (const { picture, error } of queue.dead()) {
      if (listed++ === 5) break;
      console.error(`given up: ${redacted(printable(picture))}: ${error}`);
    }
  }
}

function tellStatus(queue: PictureQueue, status: QueueStatus, json = false): void {
  if (json) {
    standardOutput.append(`${JSON.stringify({ queue: queue.place, name: queue.name, ...status })}\n`);
    return;
  }
  const { totals } = status;
  const text = pairs([
    ["queue", `${queue.name} at ${queue.place}`],
    ["pictures left", status.pictures === 0 ? "0" : `about ${status.pictures}`],
    ["jobs", `${status.waiting} waiting, ${status.active} in hand, ${status.delayed} to be tried again`],
    ["oldest", status.waiting > 0 ? `waits for ${formatSeconds(status.oldestSeconds)}` : "-"],
    ["workers", String(status.workers)],
    ["given up", String(status.dead)],
    ["until now", `${totals.scored} scored, ${totals.stored} found in the store, ${totals.dead} given up`],
  ]);
  console.log(text);
}

async function listDead(queue: PictureQueue, json = false): Promise<void> {
  let count = 0;
  for await (const { picture, reason, error, tries, at } of queue.dead()) {
    count++;
    const name = redacted(picture);
    const text = json
      ? JSON.stringify({ picture: name, reason, error, tries, at: new Date(at).toISOString() })
      : `${printable(name)}: ${reason}: ${error}`;
    standardOutput.append(`${text}\n`);
  }
  if (!json) console.error(`${count} pictures are given up${count > 0 ? "; --retry-dead sends them again" : ""}`);
}
