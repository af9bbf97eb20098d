import { setTimeout as sleep } from "node:timers/promises";
import sharp from "sharp";
import { Random } from "../../../engine/random.ts";
import { answerSchema, problemSchema, type Service } from "../../../models/service/index.ts";
import { mutations } from "../../engine/weights/fuzz.ts";

/** What a service may say of a file that is damaged, besides a score. */
const refusals = [413, 415, 422];

/** Small files of every kind that is decoded. */
export async function seedFiles(): Promise<Uint8Array[]> {
  const random = new Random(5, "seeds");
  const pixels = Uint8Array.from({ length: 48 * 40 * 3 }, () => random.integer(256));
  const image = () => sharp(pixels, { raw: { width: 48, height: 40, channels: 3 } }).blur(1);
  const files = [
    image().jpeg(),
    image().jpeg({ progressive: true }).withMetadata({ orientation: 6 }),
    image().png(),
    image().toColourspace("rgb16").png(),
    image().webp(),
    image().gif(),
    image().tiff({ compression: "lzw" }),
    image().avif({ effort: 0 }),
  ];
  return Promise.all(files.map(async (file) => new Uint8Array(await file.toBuffer())));
}

export interface FuzzedFiles {
  readonly scored: number;
  /** By status. */
  readonly refused: Readonly<Record<number, number>>;
  readonly slowestMs: number;
}

/**
 * Sends mutated files, four at a time, and after every tenth a whole one that must get its score.
 * @throws Error with the seed when an answer is not one that it may be
 */
export async function fuzzService(
  service: Service,
  count: number,
  good: { bytes: Uint8Array; score: number },
): Promise<FuzzedFiles> {
  const seeds = await seedFiles();
  const names = Object.keys(mutations);
  const refused: Record<number, number> = {};
  let [scored, slowestMs, next] = [0, 0, 0];
  const worker = async () => {
    while (next < count) {
      const seed = next++;
      const random = new Random(seed, "pictures");
      const name = names[seed % names.length]!;
      const bytes = mutations[name]!(seeds[random.integer(seeds.length)]!, random, seeds);
      const start = performance.now();
      const response = await service.fetch(scoreRequest(bytes));
      slowestMs = Math.max(slowestMs, performance.now() - start);
      const body: unknown = await response.json();
      if (response.status === 200) {
        answerSchema.parse(body);
        scored++;
      } else {
        const { status, detail } = problemSchema.parse(body);
        if (!refusals.includes(status)) throw new Error(`mutation ${name} of seed ${seed}: ${status}, ${detail}`);
        refused[status] = (refused[status] ?? 0) + 1;
      }
      if (seed % 10 === 0) await expectScore(service, good, `after mutation ${name} of seed ${seed}`);
    }
  };
  await Promise.all(Array.from({ length: 4 }, worker));
  return { scored, refused, slowestMs };
}

/** Bodies that never come to an end, until they are refused. Returns the statuses; a whole picture must be scored meanwhile. */
export async function slowBodies(
  service: Service,
  count: number,
  good: { bytes: Uint8Array; score: number },
): Promise<number[]> {
  const responses = Array.from({ length: count }, () => {
    let cancelled = false;
    const drops = new ReadableStream({
      async pull(controller) {
        await sleep(20);
        if (!cancelled) controller.enqueue(Uint8Array.of(0xff));
      },
      cancel() {
        cancelled = true;
      },
    });
    return service.fetch(scoreRequest(drops));
  });
  await expectScore(service, good, "among slow bodies");
  const statuses = (await Promise.all(responses)).map(({ status }) => status);
  await expectScore(service, good, "after slow bodies");
  return statuses;
}

export interface Lost {
  readonly statuses: readonly number[];
  readonly readyMs: number;
}

/** Takes the device from a service while it has requests. @param lose destroys the device */
export async function loseUnderLoad(
  service: Service,
  good: { bytes: Uint8Array; score: number },
  lose: () => void,
): Promise<Lost> {
  await expectScore(service, good, "before the loss");
  const requests = Array.from({ length: 64 }, () => service.fetch(scoreRequest(good.bytes)));
  await requests[5];
  const start = performance.now();
  lose();
  await sleep(0);
  while ((await service.fetch(new Request("http://localhost/ready"))).status !== 200) await sleep(5);
  // Ready is what scores.
  await expectScore(service, good, "once ready");
  const readyMs = performance.now() - start;
  const statuses = await Promise.all(
    requests.map(async (request) => {
      const response = await request;
      if (response.status === 200) expectRow(await response.json(), good.score, "in flight at the loss");
      return response.status;
    }),
  );
  return { statuses, readyMs };
}

async function expectScore(service: Service, { bytes, score }: { bytes: Uint8Array; score: number }, when: string) {
  const response = await service.fetch(scoreRequest(bytes));
  expectRow(await response.json(), score, when);
}

function expectRow(body: unknown, score: number, when: string): void {
  const [row] = answerSchema.parse(body).pictures;
  if (!row || !("score" in row) || row.score !== score)
    throw new Error(`${when}: ${JSON.stringify(row)}, not ${score}`);
}

function scoreRequest(body: Uint8Array | ReadableStream): Request {
  const headers = { "content-type": "application/octet-stream" };
  return new Request("http://localhost/v1/score", { method: "POST", body, headers, duplex: "half" } as RequestInit);
}
