import type { z } from "@hono/zod-openapi";
import type { MosRange } from "../data/index.ts";
import type { Scorer } from "../scorer.ts";
import type { QualityMap } from "../scoring/explain.ts";
import { Admission, type Place } from "./admission.ts";
import { expectPictures, picturesOf, readBody, type SentPicture } from "./body.ts";
import { deadline } from "./deadline.ts";
import type { Metrics } from "./metrics.ts";
import type { Limits } from "./options.ts";
import { type Problem, problemOf } from "./problem.ts";
import type { answerSchema } from "./schemas.ts";

/** What a request is found to be as it is answered, for log and metrics. */
export interface Account {
  readonly id: string;
  route: string;
  pictures: number;
  failed: number;
  bytes: number;
  /** Resolves when the last byte of a streamed answer is handed over. */
  streaming?: Promise<void>;
}

export type Answer = z.infer<typeof answerSchema>;

/** What is said of a picture, and why it has no score where it has none. */
interface ScoredRow {
  readonly line: Answer["pictures"][number];
  readonly problem?: Problem;
}

export interface WorkOptions {
  readonly limits: Limits;
  readonly metrics: Metrics;
  /** Told of errors that are the service's own. */
  readonly onFailure: (account: Account, error: unknown) => void;
}

/** From the body of a request to what is answered, within the limits. */
export class Work {
  readonly admission: Admission;
  readonly #options: WorkOptions;

  constructor(options: WorkOptions) {
    this.#options = options;
    this.admission = new Admission(options.limits, () => options.metrics.secondsAPicture);
  }

  /**
   * Scores the picture that the body is, or those of a form, where a picture that is bad becomes a row.
   * @throws Problem when the request is refused, when the only picture is bad, or when the device fails
   */
  async score(request: Request, scorer: Scorer, account: Account): Promise<Answer> {
    using place = this.#enter(request, true);
    const { pictures, isForm } = await this.#read(request, place, account);
    using time = deadline(request.signal, this.#options.limits.scoreSeconds);
    const rows = await Promise.all(this.#rows(scorer, pictures, time.signal, account));
    for (const { problem } of rows) if (problem && (!isForm || problem.status >= 500)) throw problem;
    const { name, card } = scorer;
    const lines = rows.map(({ line }) => line);
    return { model: name, range: mutable(card.range), direction: "higher is better", pictures: lines };
  }

  /** The same as lines of JSON, each as soon as those before it are scored. @throws Problem when the request is refused */
  async stream(request: Request, scorer: Scorer, account: Account): Promise<ReadableStream<Uint8Array>> {
    const held = new DisposableStack();
    const ended = Promise.withResolvers<void>();
    try {
      const place = held.use(this.#enter(request, true));
      const { pictures } = await this.#read(request, place, account);
      const time = held.use(deadline(request.signal, this.#options.limits.scoreSeconds));
      const rows = this.#rows(scorer, pictures, time.signal, account);
      account.streaming = ended.promise;
      const end = () => {
        held.dispose();
        ended.resolve();
      };
      return linesOf(rows, end, time.abort);
    } catch (error) {
      held.dispose();
      throw error;
    }
  }

  /** @throws Problem when the request is refused; what `Scorer.explain` throws */
  async explain(request: Request, scorer: Scorer, account: Account, tiles: number): Promise<QualityMap> {
    using place = this.#enter(request, false);
    place.take(tiles - 1);
    const { pictures } = await this.#read(request, place, account);
    using time = deadline(request.signal, this.#options.limits.scoreSeconds);
    return await scorer.explain(pictures[0]!.content, { tiles, signal: time.signal });
  }

  #enter(request: Request, formsToo: boolean): Place {
    expectPictures(request, formsToo);
    return this.admission.enter();
  }

  async #read(request: Request, place: Place, account: Account): ReturnType<typeof picturesOf> {
    const { limits } = this.#options;
    const body = await readBody(request, limits, place.hold);
    account.bytes = body.byteLength;
    const found = await picturesOf(request, body, limits);
    place.take(found.pictures.length - 1);
    account.pictures = found.pictures.length;
    return found;
  }

  /** The pictures' rows, all being made; none rejects. */
  #rows(scorer: Scorer, pictures: readonly SentPicture[], signal: AbortSignal, account: Account): Promise<ScoredRow>[] {
    const { metrics, onFailure } = this.#options;
    return pictures.map(async ({ name, content }, index) => {
      try {
        const { range, histogram, ...rest } = await scorer.score(content, { signal, name });
        metrics.picture("scored");
        return { line: { index, name, ...rest, range: mutable(range), histogram: [...histogram] } };
      } catch (error) {
        const problem = problemOf(error);
        account.failed++;
        metrics.picture(problem.document.code);
        if (problem.status === 500) onFailure(account, error);
        return { line: { index, name, error: problem.document }, problem };
      }
    });
  }
}

/** @param end called once, after the last line or when nobody reads on; `abandon` before it in the latter case */
function linesOf(
  rows: readonly Promise<ScoredRow>[],
  end: () => void,
  abandon: () => void,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let next = 0;
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { line } = await rows[next++]!;
      controller.enqueue(encoder.encode(`${JSON.stringify(line)}\n`));
      if (next < rows.length) return;
      controller.close();
      end();
    },
    cancel() {
      abandon();
      end();
    },
  });
}

/** A range as the schemas have it. */
export function mutable([low, high]: MosRange): [number, number] {
  return [low, high];
}
