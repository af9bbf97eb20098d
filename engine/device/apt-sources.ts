/** One repository that apt reads, whichever of the two file formats it came from. */
export interface AptSource {
  readonly types: readonly string[];
  readonly uris: readonly string[];
  readonly suites: readonly string[];
  readonly components: readonly string[];
  /** Further deb822 fields such as Signed-By, by their deb822 names; continuation lines keep their newlines. */
  readonly fields: Readonly<Record<string, string>>;
}

/** Reads one file of apt's configuration by its name: `*.sources` is deb822, anything else one line per source. */
export function parseAptSources(name: string, text: string): AptSource[] {
  return name.endsWith(".sources") ? parseDeb822(text) : parseOneLine(text);
}

/** The deb822 format (sources.list(5)): stanzas of `Field: value`, values continued on indented lines. */
export function parseDeb822(text: string): AptSource[] {
  const sources: AptSource[] = [];
  // Comment lines go first: one inside a stanza must not end it.
  const kept = text.split(/\r?\n/).filter((line) => !line.startsWith("#"));
  for (const stanza of kept.join("\n").split(/\n\s*\n/)) {
    const fields = new Map<string, { name: string; value: string }>();
    let current: { name: string; value: string } | undefined;
    for (const line of stanza.split("\n")) {
      const start = /^([A-Za-z][\w-]*):\s*(.*)$/.exec(line);
      if (start) {
        current = { name: start[1]!, value: start[2]!.trim() };
        fields.set(current.name.toLowerCase(), current);
      } else if (current && /^\s+\S/.test(line)) {
        current.value += `\n${line.trimEnd()}`;
      }
    }
    const words = (name: string) => fields.get(name)?.value.split(/\s+/).filter(Boolean) ?? [];
    if (!fields.has("uris") || /^(no|false|0|off)$/i.test(fields.get("enabled")?.value ?? "yes")) continue;
    const rest: Record<string, string> = {};
    for (const [key, { name, value }] of fields) {
      if (!["types", "uris", "suites", "components", "enabled"].includes(key)) rest[name] = value;
    }
    sources.push({
      types: words("types"),
      uris: words("uris"),
      suites: words("suites"),
      components: words("components"),
      fields: rest,
    });
  }
  return sources;
}

/** The classic format: `deb [option=value …] uri suite component…`. */
export function parseOneLine(text: string): AptSource[] {
  const sources: AptSource[] = [];
  for (const raw of text.split(/\r?\n/)) {
    const line = raw.replace(/#.*$/, "").trim();
    const match = /^(deb|deb-src)\s+(?:\[([^\]]*)\]\s*)?(\S+)\s+(\S+)\s*(.*)$/.exec(line);
    if (!match) continue;
    const [, type, options = "", uri, suite, components = ""] = match;
    const fields: Record<string, string> = {};
    for (const option of options.split(/\s+/).filter(Boolean)) {
      const [name, value] = splitOnce(option, "=");
      if (value) fields[deb822Name(name)] = value.replaceAll(",", " ");
    }
    sources.push({
      types: [type!],
      uris: [uri!],
      suites: [suite!],
      components: components.split(/\s+/).filter(Boolean),
      fields,
    });
  }
  return sources;
}

/** Writes a source in deb822 format. */
export function formatDeb822(source: AptSource): string {
  const lines = [
    `Types: ${source.types.join(" ")}`,
    `URIs: ${source.uris.join(" ")}`,
    `Suites: ${source.suites.join(" ")}`,
    `Components: ${source.components.join(" ")}`,
    ...Object.entries(source.fields).map(([name, value]) => `${name}: ${value}`),
  ];
  return `${lines.join("\n")}\n`;
}

function deb822Name(option: string): string {
  const renamed: Record<string, string> = { arch: "Architectures", lang: "Languages", target: "Targets" };
  return (
    renamed[option] ?? option.replace(/(^|-)([a-z])/g, (_, dash: string, letter: string) => dash + letter.toUpperCase())
  );
}

function splitOnce(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}
