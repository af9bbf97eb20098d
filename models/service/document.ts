import type { z } from "@hono/zod-openapi";
import { Problem } from "./problem.ts";

/** @throws Problem 415 when the body of a request is no JSON by its type */
export function expectJson(request: Request): void {
  const type = request.headers.get("content-type") ?? "";
  if (/^\s*application\/json\s*(;|$)/i.test(type)) return;
  throw new Problem(415, "media-type", `The body is ${type || "of no type"}.`, {
    advice: "Send application/json.",
    headers: { "accept-post": "application/json" },
  });
}

/** Mistakes that are told of one body. */
const mostMistakes = 3;

/** @throws Problem 422 when the bytes are no JSON of that form */
export function documentOf<Schema extends z.ZodType>(schema: Schema, bytes: Uint8Array): z.output<Schema> {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw new Problem(422, "not-json", "The body is no JSON.");
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const { issues } = result.error;
  const told = issues.slice(0, mostMistakes).map(({ path, message }) => `${path.join(".") || "it"}: ${message}`);
  const more = issues.length > told.length ? [`${issues.length - told.length} more`] : [];
  throw new Problem(422, "document", `The body makes no sense: ${[...told, ...more].join("; ")}.`, {
    advice: "/openapi.json says what it should be.",
  });
}
