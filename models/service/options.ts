import { z } from "zod";
import { shown } from "../../engine/arguments.ts";

const count = z.int().min(1);
/** Timers of JavaScript that are set to more milliseconds than 31 bits hold run out at once. */
const seconds = z
  .number()
  .positive()
  .max(Math.floor((2 ** 31 - 1) / 1000));

/** What one request and all of them together may take. */
export const limitsSchema = z.object({
  /** Bytes of a request's body, and of what a URL leads to. */
  maxBodyBytes: count.default(64 * 2 ** 20),
  /** Bytes of all bodies that are held at a time. */
  maxHeldBytes: count.default(2 ** 30),
  /** Pixels of a picture, looked up before it is decoded. */
  maxPixels: count.default(50_000_000),
  /** Pictures in a request. */
  maxPictures: count.default(64),
  /** Pictures accepted and not yet answered, of all requests together. */
  maxQueue: count.default(1024),
  /** Seconds that the service waits for a body in all, and for a client to read on. */
  bodySeconds: seconds.default(30),
  /** Bytes a second with which a body must come on average once it was waited for 5 s. */
  minBodyRate: count.default(1024),
  /** Seconds in which a picture must have been scored, from when all of it has come. */
  scoreSeconds: seconds.default(120),
  /**
   * Processes that decode pictures, and one more for those that take long; 0 decodes them in the service's own process, which then has no defence
   * against pictures that take much memory or time. Unless given, as many as cores, 2 to 8.
   */
  decoders: z.int().min(0).max(64).optional(),
  /** Seconds in which a picture must have been decoded. */
  decodeSeconds: seconds.default(8),
  /** Bytes of memory that a process may hold that decodes (Linux). */
  decoderBytes: count.default(2 ** 30),
  /** Seconds in which a picture that is named by its URL must have come. */
  urlSeconds: seconds.default(10),
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
