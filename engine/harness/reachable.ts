import { withoutComments } from "./interface.ts";

/**
 * Names that an entry point uses, by itself or by functions that it calls: modules may have several entry points whose variables
 * share a binding.
 */
export function namesUsedBy(wgsl: string, entryPoint: string): ReadonlySet<string> {
  const text = withoutComments(wgsl);
  const bodies = new Map(
    [...text.matchAll(/\bfn\s+(\w+)/g)].map(({ 1: name, index }) => [name!, bodyFrom(text, index)] as const),
  );
  const used = new Set<string>([entryPoint]);
  const open = [entryPoint];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    for (const [word] of (bodies.get(name) ?? "").matchAll(/\b[A-Za-z_]\w*\b/g)) {
      if (used.has(word)) continue;
      used.add(word);
      if (bodies.has(word)) open.push(word);
    }
  }
  return used;
}

/** From a function's name to the end of its body. */
function bodyFrom(text: string, start: number): string {
  let depth = 0;
  for (let at = text.indexOf("{", start); at >= 0 && at < text.length; at++) {
    if (text[at] === "{") depth++;
    else if (text[at] === "}" && --depth === 0) return text.slice(start, at + 1);
  }
  return text.slice(start);
}
