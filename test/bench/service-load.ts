import { answerSchema } from "../../models/service/index.ts";

/** A picture to send and the score that must come back. */
export interface KnownPicture {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly score: number;
}

/** What clients saw of a service. */
export interface Load {
  readonly clients: number;
  /** Answered with the right score. */
  readonly right: number;
  /** Answered with a score that is not that of the picture sent. */
  readonly wrong: number;
  /** Answered with a problem, by status. */
  readonly refused: Readonly<Record<number, number>>;
  /** Never answered. */
  readonly lost: number;
  /** From the first request to the last answer. */
  readonly seconds: number;
  readonly perSecond: number;
  /** From a request to its whole answer, of each request. */
  readonly latenciesMs: readonly number[];
}

export interface LoadOptions {
  readonly clients: number;
  /** Whether one more request is to be sent, given how many were and how many seconds have gone. */
  readonly goesOn: (sent: number, seconds: number) => boolean;
}

/** Clients that each send one picture after another, and check every answer. */
export async function load(url: string, pictures: readonly KnownPicture[], options: LoadOptions): Promise<Load> {
  const { clients, goesOn } = options;
  const counts = { right: 0, wrong: 0, lost: 0 };
  const refused: Record<number, number> = {};
  const latenciesMs: number[] = [];
  const start = performance.now();
  let sent = 0;
  const client = async () => {
    while (goesOn(sent, (performance.now() - start) / 1000)) {
      const picture = pictures[sent++ % pictures.length]!;
      const began = performance.now();
      const outcome = await send(url, picture);
      latenciesMs.push(performance.now() - began);
      if (typeof outcome === "number") refused[outcome] = (refused[outcome] ?? 0) + 1;
      else counts[outcome]++;
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  const seconds = (performance.now() - start) / 1000;
  return { clients, ...counts, refused, seconds, perSecond: counts.right / seconds, latenciesMs };
}

/** Several loads of as many clients as one. */
export function together(loads: readonly Load[]): Load {
  const sum = (of: (load: Load) => number) => loads.reduce((total, load) => total + of(load), 0);
  const refused: Record<number, number> = {};
  for (const load of loads) {
    for (const [status, count] of Object.entries(load.refused)) {
      refused[Number(status)] = (refused[Number(status)] ?? 0) + count;
    }
  }
  const [right, seconds] = [sum((load) => load.right), sum((load) => load.seconds)];
  return {
    clients: loads[0]!.clients,
    right,
    wrong: sum((load) => load.wrong),
    lost: sum((load) => load.lost),
    refused,
    seconds,
    perSecond: right / seconds,
    latenciesMs: loads.flatMap((load) => load.latenciesMs),
  };
}

/** What became of one picture: a status where it was refused. */
async function send(url: string, { bytes, score }: KnownPicture): Promise<"right" | "wrong" | "lost" | number> {
  try {
    const headers = { "content-type": "image/jpeg" };
    const response = await fetch(`${url}/v1/score`, { method: "POST", body: bytes, headers });
    const body: unknown = await response.json();
    if (response.status !== 200) return response.status;
    const [row] = answerSchema.parse(body).pictures;
    return row && "score" in row && row.score === score ? "right" : "wrong";
  } catch {
    return "lost";
  }
}

/** The least value that so large a share of them does not exceed; NaN of none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

/** Resident memory of a service, bytes. @throws Error when its metrics do not say */
export async function residentBytes(url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const found = /^process_resident_memory_bytes (\S+)$/m.exec(text);
  if (!found) throw new Error("the service does not say how much memory it has");
  return Number(found[1]);
}
