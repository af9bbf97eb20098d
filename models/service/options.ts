import { z } from "zod";
import { shown } from "../../engine/arguments.ts";

const count = z.int().min(1);
/** Timers of JavaScript that are set to more milliseconds than 31 bits hold run out at once. */
const seconds = z
  .number()
  .positive()
  .max(Math.floor((2 ** 31 - 1) / 1000));

/** What one request and all of them together may take. The command line has a flag for each, with its description. */
export const limitsSchema = z.object({
  maxBodyBytes: count.default(64 * 2 ** 20).describe("the longest body of a request, and of what a URL leads to"),
  maxHeldBytes: count.default(2 ** 30).describe("bodies held at a time"),
  maxPixels: count.default(50_000_000).describe("pixels of a picture, looked up before it is decoded"),
  maxPictures: count.default(64).describe("pictures in a request"),
  maxQueue: count.default(1024).describe("pictures accepted and not yet answered; beyond them clients get 429"),
  bodySeconds: seconds.default(30).describe("time for a body to arrive, and for a client to read on"),
  minBodyRate: count.default(1024).describe("bytes a second with which a body must come after its first 5 s"),
  decoders: z.int().min(0).max(64).optional().describe(
    // One more takes those that are expected to take long.
    "processes that decode pictures (as many as cores, 2 to 8); 0: in the service's own, without defence against pictures that take much memory or time",
  ),
  decodeSeconds: seconds.default(8).describe("time for a picture to be decoded"),
  decoderBytes: count.default(2 ** 30).describe("memory that each of them may hold (Linux)"),
  scoreSeconds: seconds.default(120).describe("time for a picture to be scored once it has come"),
  urlSeconds: seconds.default(10).describe("time for a picture that is named by its URL to come"),
});

/** Limits as a caller gives them. */
export type LimitsInput = z.input<typeof limitsSchema>;
export type Limits = z.output<typeof limitsSchema>;

/** @throws RangeError naming every limit that means nothing, its value, and what it may be */
export function limitsOf(input: LimitsInput): Limits {
  const result = limitsSchema.safeParse(input);
  if (result.success) return result.data;
  const wrong = result.error.issues.map(({ path: [name], message }) => {
    const value = (input as Readonly<Record<PropertyKey, unknown>>)[name!];
    return name === undefined ? message : `\`limits.${String(name)}\` ${shown(value)}: ${message}`;
  });
  throw new RangeError(wrong.join("; "));
}

/** One line of the log: what happened, never what a picture shows or is called. */
export type LogEntry = Readonly<Record<string, string | number | boolean | undefined>> & {
  readonly level: "info" | "warn" | "error";
  readonly event: string;
};
