/**
 * What parent and child say to each other: one JSON object a line, requests on the child's standard input, replies on
 * its standard output behind a mark. Lines without the mark are a library's own talk.
 */

export type Request =
  | {
      readonly do: "prepare";
      /** Name of the case. */
      readonly name: string;
      /** File for the outputs of the first runs, all in one sequence of f32. */
      readonly outputs: string;
    }
  | { readonly do: "run" }
  | { readonly do: "release" };

export type Reply =
  | { readonly is: "open"; readonly version: string; readonly adapter: string; readonly note?: string }
  /** `lengths`: elements of each output in the file. `seconds`: from building to the last of the first runs. */
  | { readonly is: "prepared"; readonly lengths: readonly number[]; readonly seconds: number }
  | { readonly is: "ran"; readonly ms: number }
  | { readonly is: "released" }
  | { readonly is: "not offered"; readonly reason: string }
  | { readonly is: "failed"; readonly reason: string };

const mark = "@acutance-rivals ";

export function replyLine(reply: Reply): string {
  return `${mark}${JSON.stringify(reply)}\n`;
}

/** The reply on a line of the child's output, or nothing when the line is not one. */
export function parseReply(line: string): Reply | undefined {
  return line.startsWith(mark) ? JSON.parse(line.slice(mark.length)) : undefined;
}
