/** Outcome of one run of tests. */
export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** Names of the failed ones. */
  readonly failures: readonly string[];
  /** Whether the report was written to its end. */
  readonly complete: boolean;
}

/** Counts the test cases of a JUnit report as Bun, Node and Deno write it. */
export function countTests(xml: string): Counts {
  let passed = 0;
  let skipped = 0;
  const failures: string[] = [];
  // Attribute values may hold ">", as Node writes them.
  for (const [, attributes, , body = ""] of xml.matchAll(
    /<testcase((?:\s+[\w:]+="[^"]*")*)\s*(\/>|>([\s\S]*?)<\/testcase>)/g,
  )) {
    const name = (key: string) => unescapeXml(new RegExp(`\\s${key}="([^"]*)"`).exec(attributes!)?.[1] ?? "");
    if (/<(failure|error)\b/.test(body)) failures.push(name("name"));
    else if (/<skipped\b/.test(body)) skipped++;
    else passed++;
  }
  return { passed, failed: failures.length, skipped, failures, complete: xml.trimEnd().endsWith("</testsuites>") };
}

function unescapeXml(text: string): string {
  const characters: Record<string, string> = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };
  return text.replace(/&(\w+);/g, (entity, name: string) => characters[name] ?? entity);
}
