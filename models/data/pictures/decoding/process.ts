// A process that decodes pictures for another, which may end it at any time. Questions come on stdin, answers go to stdout, both as
// frames; whatever else would print goes to stderr. `slow` as argument: it leaves the processor to all others.
import { writeFileSync } from "node:fs";
import { setPriority } from "node:os";
import { type Frame, FrameReader, frameHead } from "./frames.ts";
import { type Answer, answerOf, type Question } from "./messages.ts";

/** Where memory runs out, decoders end before the service does; not everywhere is there such a setting. */
function tryTo(act: () => void): void {
  try {
    act();
  } catch {}
}

tryTo(() => writeFileSync("/proc/self/oom_score_adj", "500"));
// Before the decoder is loaded: threads have the priority that their maker has when it makes them.
if (process.argv[2] === "slow") tryTo(() => setPriority(19));
const { default: sharp } = await import("sharp");
// Each picture comes once, and other processes work beside this one.
sharp.cache(false);
sharp.concurrency(1);
// Formats that are never decoded need not be looked into either.
sharp.block({
  operation: ["VipsForeignLoadSvg", "VipsForeignLoadPdf", "VipsForeignLoadMagick", "VipsForeignLoadOpenslide"],
});
const { decode } = await import("../decode.ts");
const { decodingCost } = await import("./cost.ts");

function answer(answer: Answer, body: Uint8Array = new Uint8Array()): void {
  process.stdout.write(frameHead(answer, body.byteLength));
  if (body.byteLength > 0) process.stdout.write(body);
}

let picture = new Uint8Array();
let options = {};

async function take({ header, body }: Frame<Question>): Promise<void> {
  try {
    if (header.ask === "cost") {
      [picture, options] = [body as Uint8Array<ArrayBuffer>, header.options];
      return answer({ is: "cost", cost: await decodingCost(picture) });
    }
    const { width, height, pixels } = await decode(picture, options);
    answer({ is: "pixels", width, height }, pixels);
  } catch (error) {
    answer(answerOf(error));
  }
}

const reader = new FrameReader<Question>((frame) => void take(frame));
process.stdin.on("data", (chunk: Uint8Array) => reader.push(chunk));
// Whoever asked is gone.
process.stdin.on("end", () => process.exit(0));
answer({ is: "ready" });
