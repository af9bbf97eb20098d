import type { XmlElement } from "@rgrove/parse-xml";
import { SidecarError } from "./sidecar-error.ts";
import {
  namespaces,
  type Property,
  propertiesOf,
  readXmp,
  type Span,
  scopeOf,
  startTagOf,
  type XmpDocument,
} from "./xmp-document.ts";
import { escaped } from "./xmp-encoding.ts";

/** Namespace of what only Acutance writes. */
export const sidecarNamespace = "urn:x-acutance:1.0/";

/** Prefixes that are asked for; another is taken where one means something else. */
const prefixes: Readonly<Record<string, string>> = {
  [namespaces.rdf]: "rdf",
  [namespaces.xmp]: "xmp",
  [namespaces.photoshop]: "photoshop",
  [sidecarNamespace]: "acutance",
};

/** A property to be set, or, without a value, to be removed. */
export interface Change {
  readonly namespace: string;
  readonly name: string;
  readonly value: string | undefined;
}

interface Splice extends Span {
  readonly text: string;
}

/** The value of a property; undefined where there is none. */
export function valueIn(document: XmpDocument, namespace: string, name: string): string | undefined {
  return propertiesOf(document, namespace, name)[0]?.value;
}

/**
 * Sets simple properties in the text of an XMP file. What has its value already is not touched; a value is replaced where it stands,
 * whatever its prefix and form, in every place that it stands in; what is missing becomes attributes of the first `rdf:Description`.
 * All other characters stay.
 * @throws SidecarError `not-xmp` when one of them has qualifiers or parts
 */
export function withProperties(document: XmpDocument, changes: readonly Change[]): string {
  const missing: (Change & { readonly value: string })[] = [];
  const splices: Splice[] = [];
  for (const change of changes) {
    const places = propertiesOf(document, change.namespace, change.name);
    if (places.length > 0) splices.push(...places.flatMap((place) => replaced(document.text, place, change)));
    else if (change.value !== undefined) missing.push({ ...change, value: change.value });
  }
  if (missing.length > 0) splices.push(added(document, missing));
  const done = spliced(document.text, splices);
  expectValues(done, changes);
  return done;
}

/** Reads what is about to be written: a form that was not thought of must cost nobody a sidecar. */
function expectValues(text: string, changes: readonly Change[]): void {
  const document = readXmp(text);
  const wrong = changes.find(({ namespace, name, value }) => valueIn(document, namespace, name) !== value?.trim());
  if (wrong) throw new SidecarError("not-xmp", `its form is not understood: its ${wrong.name} would come out wrong`);
}

function spliced(text: string, splices: readonly Splice[]): string {
  // From the end, so that places before stay; what is put in goes before what is taken out there.
  const ordered = splices.toSorted((a, b) => b.start - a.start || b.end - a.end);
  return ordered.reduce((done, { start, end, text: piece }) => done.slice(0, start) + piece + done.slice(end), text);
}

function replaced(
  text: string,
  { value: old, content, whole, isComplex }: Property,
  { name, value }: Change,
): Splice[] {
  if (isComplex) {
    const why = `its ${name} has qualifiers or parts, which are not understood; write it with the program that made it`;
    throw new SidecarError("not-xmp", why);
  }
  if (value === undefined) return [{ ...whole, text: "" }];
  if (value === old) return [];
  if (content) return [{ ...content, text: escaped(value) }];
  // <xmp:Rating/> becomes <xmp:Rating>3</xmp:Rating>.
  const tag = text.slice(whole.start, whole.end);
  const element = /<([^\s/>]+)/.exec(tag)![1]!;
  return [{ ...whole, text: `${tag.replace(/[ \t\r\n]*\/>$/, ">")}${escaped(value)}</${element}>` }];
}

/** Attributes of the first description, which is made where there is none. */
function added(document: XmpDocument, missing: readonly (Change & { readonly value: string })[]): Splice {
  const { text, holder } = document;
  const [description] = document.descriptions;
  if (description) {
    const { attributes, attributesEnd: at } = startTagOf(text, description);
    const before = attributes.at(-1)?.whole;
    const blank = before ? /^[ \t\r\n]+/.exec(text.slice(before.start))![0] : " ";
    return { start: at, end: at, text: attributesText(scopeOf(description), missing, blank) };
  }
  const scope = scopeOf(holder);
  const line = /\r\n|\n|\r/.exec(text)?.[0] ?? "\n";
  const rdf = prefixFor(scope, namespaces.rdf);
  const own = attributesText(scope, missing, `${line}    `);
  const declared = rdf.isNew ? ` xmlns:${rdf.prefix}="${namespaces.rdf}"` : "";
  const described = (declaration: string) => `<${rdf.prefix}:Description${declaration} ${rdf.prefix}:about=""${own}/>`;
  const child = document.hasRdf
    ? described(declared)
    : `<${rdf.prefix}:RDF${declared}>${line}  ${described("")}${line} </${rdf.prefix}:RDF>`;
  return childOf(text, holder, `${line} ${child}${line}`);
}

function childOf(text: string, parent: XmlElement, child: string): Splice {
  const tag = startTagOf(text, parent);
  if (tag.isEmpty) return { start: tag.end - 2, end: tag.end, text: `>${child}</${parent.name}>` };
  return { start: tag.end, end: tag.end, text: child };
}

function attributesText(
  scope: Map<string, string>,
  missing: readonly (Change & { readonly value: string })[],
  blank: string,
): string {
  const lines: string[] = [];
  for (const { namespace, name, value } of missing) {
    const { prefix, isNew } = prefixFor(scope, namespace);
    if (isNew) {
      scope.set(prefix, namespace);
      lines.push(`xmlns:${prefix}="${namespace}"`);
    }
    lines.push(`${prefix}:${name}="${escaped(value)}"`);
  }
  return lines.map((line) => blank + line).join("");
}

/** A prefix that means the namespace, the one that is in use or a new one. */
function prefixFor(scope: ReadonlyMap<string, string>, namespace: string): { prefix: string; isNew: boolean } {
  const inUse = [...scope].find(([prefix, meant]) => prefix !== "" && meant === namespace);
  if (inUse) return { prefix: inUse[0], isNew: false };
  const wished = prefixes[namespace] ?? "ns";
  for (let i = 1; ; i++) {
    const prefix = i === 1 ? wished : `${wished}${i}`;
    if (!scope.has(prefix)) return { prefix, isNew: true };
  }
}

/** An XMP file without properties. */
export const emptySidecar =
  `<?xml version="1.0" encoding="UTF-8"?>\n<x:xmpmeta xmlns:x="${namespaces.meta}" x:xmptk="Acutance">\n` +
  ` <rdf:RDF xmlns:rdf="${namespaces.rdf}">\n  <rdf:Description\n    rdf:about=""/>\n </rdf:RDF>\n</x:xmpmeta>\n`;

/** As {@link withProperties}, from a text. @throws SidecarError as that and {@link readXmp} do */
export function updateSidecar(text: string, changes: readonly Change[]): string {
  return withProperties(readXmp(text), changes);
}
