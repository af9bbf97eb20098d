import type { z } from "@hono/zod-openapi";
import { keptLook } from "../culling/kept-look.ts";
import type { SeenPicture } from "../culling/picture.ts";
import { rankBurst } from "../culling/rank.ts";
import { lookInto, type SeeOptions } from "../culling/see.ts";
import { type MosRange, prefetch } from "../data/index.ts";
import type { DecoderPool } from "../data/pictures/decoding/pool.ts";
import { Limit } from "../data/prefetch.ts";
import type { QualityMap } from "../scoring/explain.ts";
import type { PictureScore, Scorer } from "../scoring/scorer.ts";
import { Admission, type Place } from "./admission.ts";
import { announcedBytes, chunksOf, wholeOf } from "./body.ts";
import { deadline } from "./deadline.ts";
import { documentOf, expectJson } from "./document.ts";
import { type FetchingOptions, fetchPicture } from "./fetch-picture.ts";
import { linesOf } from "./lines.ts";
import type { Metrics } from "./metrics.ts";
import type { Limits } from "./options.ts";
import { Problem, problemOf } from "./problem.ts";
import type { answerSchema, rankingSchema } from "./schemas.ts";
import { type BodyKind, kindOf, type SentPicture, sentPictures } from "./sent-pictures.ts";

/** What a request is found to be as it is answered, for log and metrics. */
export interface Account {
  readonly id: string;
  route: string;
  pictures: number;
  failed: number;
  bytes: number;
  /** A streamed answer broke off: its client went away or did not read on. */
  isCut?: boolean;
  /** All of its body was read. */
  isRead?: boolean;
  /** The address it came from, where that is known. */
  readonly client?: string | undefined;
  /** A host had the request before the service did. */
  readonly isHosted?: boolean;
  /** Resolves when the last byte of a streamed answer is handed over. */
  streaming?: Promise<void>;
}

export type Answer = z.infer<typeof answerSchema>;
export type Ranking = z.infer<typeof rankingSchema>;

/** What is said of a picture, and why it has no score where it has none. */
interface ScoredRow {
  readonly line: Answer["pictures"][number];
  /** What is compared of it, where that is asked for. */
  readonly seen?: SeenPicture;
  readonly problem?: Problem;
  /** The problem is that of the request: it is about this picture alone, or its body ends here. */
  readonly isOfRequest?: boolean;
}

export interface WorkOptions {
  readonly limits: Limits;
  readonly metrics: Metrics;
  /** Decodes what is compared; this process does unless given. */
  readonly decoderPool: DecoderPool | undefined;
  /** How pictures are fetched that are named by their URL; none are unless given. */
  readonly fetching?: FetchingOptions | undefined;
  /** Told of errors that are the service's own. */
  readonly onFailure: (account: Account, error: unknown) => void;
}

/** Fetches that run at a time, of all requests together. */
const mostFetches = 16;

/** A request that is being answered. */
interface Job extends Disposable {
  readonly scorer: Scorer;
  readonly account: Account;
  readonly place: Place;
  /** Aborts when the client is gone or the request is answered. */
  readonly signal: AbortSignal;
  readonly pictures: AsyncGenerator<SentPicture, void, undefined>;
  /** Pictures are compared with each other, not only scored. */
  readonly compares?: boolean;
  /** What is compared of each is told. */
  readonly looks?: boolean;
}

/** What is wanted beside scores. */
interface Wanted {
  /** What is compared of each picture, so that they can be grouped. @default false */
  readonly looks?: boolean;
}

/** From the body of a request to what is answered, within the limits. */
export class Work {
  readonly admission: Admission;
  readonly #options: WorkOptions;
  readonly #fetches = new Limit(mostFetches);

  constructor(options: WorkOptions) {
    this.#options = options;
    this.admission = new Admission(options.limits, () => options.metrics.secondsAPicture);
  }

  /**
   * Scores the picture that the body is, or those that it has or names, where a picture that is bad becomes a row.
   * @throws Problem when the request is refused, when the only picture is bad, or when the device fails
   */
  async score(request: Request, scorer: Scorer, account: Account, { looks = false }: Wanted = {}): Promise<Answer> {
    using job = this.#begin(request, scorer, account, this.#accepted);
    const pictures: Answer["pictures"] = [];
    for await (const { line, problem, isOfRequest } of this.#rows({ ...job, looks }, job.pictures)) {
      if (problem && (isOfRequest || problem.status >= 500)) throw problem;
      pictures.push(line);
    }
    const { name, card } = scorer;
    return { model: name, range: mutable(card.range), direction: "higher is better", pictures };
  }

  /**
   * The order of the pictures of one burst, the best first, and why; those that are bad come last.
   * @throws Problem when the request is refused, when no picture can be scored, or when the device fails
   */
  async rank(request: Request, scorer: Scorer, account: Account): Promise<Ranking> {
    using job = this.#begin(request, scorer, account, this.#accepted);
    const rows: ScoredRow[] = [];
    for await (const row of this.#rows({ ...job, compares: true }, job.pictures)) {
      const { problem, isOfRequest } = row;
      if (problem && (isOfRequest || problem.status >= 500)) throw problem;
      rows.push(row);
    }
    const compared = rows.filter((row) => row.seen !== undefined);
    if (compared.length === 0) {
      throw new Problem(422, "no-picture", "None of the pictures can be scored.", {
        advice: "Send each alone to /v1/score, which says why.",
      });
    }
    const ranked = rankBurst(compared.map(({ seen }) => seen!)).map(({ index, name: _, ...place }) => {
      return { ...(compared[index]!.line as Answered), ...place };
    });
    const failed = rows.flatMap(({ line }) => ("error" in line ? [line] : []));
    const { name, card } = scorer;
    const pictures = [...ranked, ...failed];
    return { model: name, range: mutable(card.range), direction: "higher is better", pictures };
  }

  /**
   * The same as lines of JSON, each as soon as those before it are scored, while the rest of the body may still be on its way.
   * What is wrong with the body after the first line becomes the last one.
   * @throws Problem when the request is refused before
   */
  async stream(
    request: Request,
    scorer: Scorer,
    account: Account,
    { looks = false }: Wanted = {},
  ): Promise<ReadableStream<Uint8Array>> {
    const job = this.#begin(request, scorer, account, this.#accepted);
    try {
      const rows = this.#rows({ ...job, looks }, withProblem(job.pictures));
      const first = await rows.next();
      if (first.done) throw new Error("a body has a picture or a problem");
      const { problem, isOfRequest } = first.value;
      if (problem && isOfRequest) throw problem;
      const ended = Promise.withResolvers<void>();
      account.streaming = ended.promise;
      const end = (isWhole: boolean) => {
        account.isCut = !isWhole;
        job[Symbol.dispose]();
        ended.resolve();
      };
      const { bodySeconds: seconds } = this.#options.limits;
      return linesOf(first.value, rows, { signal: job.signal, end, seconds });
    } catch (error) {
      job[Symbol.dispose]();
      throw error;
    }
  }

  /** @throws Problem when the request is refused; what `Scorer.explain` throws */
  async explain<T>(
    request: Request,
    scorer: Scorer,
    account: Account,
    { tiles, use }: { readonly tiles: number; readonly use: (map: QualityMap) => Promise<T> },
  ): Promise<T> {
    using job = this.#begin(request, scorer, account, ["picture"], tiles);
    const { value: picture } = await job.pictures.next();
    account.pictures = 1;
    await job.place.take();
    using time = deadline(job.signal, this.#options.limits.scoreSeconds);
    const { client } = account;
    const asked = { tiles, signal: time.signal, ...(client !== undefined && { client }) };
    return await use(await scorer.explain(picture!.content as Uint8Array, asked));
  }

  /**
   * What is made of a body that is a document of JSON.
   * @throws Problem 415 for another type, 422 for what is not of that form, as {@link chunksOf}; what `use` throws
   */
  async read<Schema extends z.ZodType, T>(
    request: Request,
    account: Account,
    schema: Schema,
    use: (document: z.output<Schema>, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const { limits } = this.#options;
    expectJson(request);
    const { client, isHosted = false } = account;
    using place = this.admission.enter({ client, evict: (why) => life.end(why) });
    using life = deadline(request.signal, limits.bodySeconds + limits.scoreSeconds);
    const announced = announcedBytes(request, limits.maxBodyBytes);
    const onBytes = (bytes: number) => {
      account.bytes += bytes;
    };
    const onWhole = () => {
      account.isRead = true;
    };
    const chunks = chunksOf(request, { limits, signal: life.signal, onBytes, onWhole, isHosted });
    const document = documentOf(schema, await wholeOf(chunks, announced, place.room));
    await place.take();
    return await use(document, life.signal);
  }

  get #accepted(): readonly BodyKind[] {
    return this.#options.fetching ? ["picture", "form", "urls", "lines"] : ["picture", "form"];
  }

  #begin(request: Request, scorer: Scorer, account: Account, accepted: readonly BodyKind[], weight = 1): Job {
    const kind = kindOf(request, accepted);
    const { client, isHosted = false } = account;
    const place = this.admission.enter({ weight, client, evict: (why) => life.end(why) });
    const life = deadline(request.signal);
    const onBytes = (bytes: number) => {
      account.bytes += bytes;
    };
    const { limits } = this.#options;
    const onWhole = () => {
      account.isRead = true;
    };
    const pictures = sentPictures(request, kind, place, { limits, signal: life.signal, onBytes, onWhole, isHosted });
    const end = () => {
      life[Symbol.dispose]();
      place[Symbol.dispose]();
    };
    return { scorer, account, place, signal: life.signal, pictures, [Symbol.dispose]: end };
  }

  /** The pictures' rows in order, some pictures ahead of the one handed out and no further. @throws what `pictures` does, at once */
  async *#rows(job: Job, pictures: AsyncIterable<SentPicture | Ending>): AsyncGenerator<ScoredRow, void, undefined> {
    let count = 0;
    async function* admitted() {
      for await (const picture of pictures) {
        if (!("problem" in picture)) await job.place.take();
        yield { picture, index: count++ };
      }
    }
    const row = ({ picture, index }: { picture: SentPicture | Ending; index: number }, wanted: AbortSignal) =>
      "problem" in picture ? lastRow(index, picture) : this.#row(job, picture, index, wanted);
    const { ahead } = job.scorer;
    for await (const result of prefetch(admitted(), row, { ahead, concurrency: ahead, signal: job.signal })) {
      if (!result.ok) throw result.error;
      yield result.value;
    }
  }

  /** The row of a picture that has its place, which is free afterwards. */
  async #row(job: Job, picture: SentPicture, index: number, wanted: AbortSignal): Promise<ScoredRow> {
    const { scorer, account, place } = job;
    const { name, content } = picture;
    const { metrics, onFailure, limits } = this.#options;
    let held = picture.heldBytes;
    const hold = (bytes: number) => {
      place.hold(bytes);
      held += bytes;
    };
    account.pictures++;
    try {
      const bytes = content instanceof URL ? await this.#fetch(content, hold, wanted) : content;
      using time = deadline(wanted, limits.scoreSeconds);
      const { client } = account;
      const asked = { signal: time.signal, name, ...(client !== undefined && { client }) };
      const result = await scorer.score(bytes, asked);
      const seen = job.compares || job.looks ? await this.#seen(bytes, result, asked) : undefined;
      const { range, histogram, reasons, feature: _, ...rest } = result;
      metrics.picture("scored");
      const lists = { ...(histogram && { histogram: [...histogram] }), ...(reasons && { reasons: [...reasons] }) };
      const look = job.looks && { look: keptLook(seen!) };
      return { line: { index, name, ...rest, range: mutable(range), ...lists, ...look }, ...(seen && { seen }) };
    } catch (error) {
      const problem = problemOf(error);
      account.failed++;
      metrics.picture(problem.document.code);
      if (problem.status === 500) onFailure(account, error);
      return { line: { index, name, error: problem.document }, problem, isOfRequest: picture.isAlone };
    } finally {
      place.leave(held);
    }
  }

  /** What of a picture is compared. What the scorer took is not refused here. */
  async #seen(bytes: Uint8Array, scored: PictureScore, asked: LookOptions): Promise<SeenPicture> {
    const { limits, decoderPool } = this.#options;
    const { maxPixels } = limits;
    const options = { ...asked, maxPixels, strictness: "truncated" as const, ...(decoderPool && { decoderPool }) };
    return { ...(await lookInto(bytes, options)), scored };
  }

  #fetch(url: URL, hold: (bytes: number) => void, signal: AbortSignal): Promise<Uint8Array> {
    const { limits, fetching } = this.#options;
    return this.#fetches.run(() => {
      signal.throwIfAborted();
      const { maxBodyBytes: maxBytes, urlSeconds: seconds } = limits;
      return fetchPicture(url, { maxBytes, seconds, signal, hold }, fetching);
    });
  }
}

/** The row of a picture that has a score. */
type Answered = Exclude<Answer["pictures"][number], { readonly error: unknown }>;

type LookOptions = Pick<SeeOptions, "name" | "signal" | "client">;

/** What ends the pictures of a request too early. */
interface Ending {
  readonly problem: Problem;
}

function lastRow(index: number, { problem }: Ending): ScoredRow {
  return { line: { index, name: "(body)", error: problem.document, ends: true }, problem, isOfRequest: true };
}

/** The pictures, and as the last of them what ends them too early. */
async function* withProblem(
  pictures: AsyncIterable<SentPicture>,
): AsyncGenerator<SentPicture | Ending, void, undefined> {
  try {
    yield* pictures;
  } catch (error) {
    yield { problem: problemOf(error) };
  }
}

/** A range as the schemas have it. */
export function mutable([low, high]: MosRange): [number, number] {
  return [low, high];
}
