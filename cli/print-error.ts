import { fileSentence } from "../engine/weights/files.ts";
import { emphasis } from "./terminal.ts";

/** What the system says of a file, with its name once. */
function messageOf(error: NodeJS.ErrnoException): string {
  const { code, path, message } = error;
  return code && path !== undefined && message.startsWith(code) ? fileSentence(path, error, "read") : message;
}

/** An error as the user reads it, with what to do. @param whose said before the message */
export function printError(error: unknown, whose = ""): void {
  const message = error instanceof Error ? messageOf(error) : String(error);
  console.error(`${emphasis("error:", "red", process.stderr)} ${whose}${message}`);
  const advice = (error as { advice?: unknown } | null)?.advice;
  if (typeof advice === "string" && advice) console.error(advice);
  // A command could not even be read: `using` is younger than Node's own reading of TypeScript.
  if (error instanceof SyntaxError && Number.parseInt(process.versions.node, 10) < 24) {
    console.error(`Acutance needs Bun 1.4, Node 24 or Deno 2.9, or newer; this is Node ${process.versions.node}`);
  }
  if (process.env["ACUTANCE_DEBUG"] === "1" && error instanceof Error) console.error(error.stack);
}
