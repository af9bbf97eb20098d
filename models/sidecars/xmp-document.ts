import { parseXml, XmlElement, type XmlNode, XmlText } from "@rgrove/parse-xml";
import { SidecarError } from "./sidecar-error.ts";

/** Namespaces of XMP. Source: ISO 16684-1:2019 and Adobe's "XMP Specification Part 2". */
export const namespaces = {
  rdf: "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
  meta: "adobe:ns:meta/",
  xmp: "http://ns.adobe.com/xap/1.0/",
  photoshop: "http://ns.adobe.com/photoshop/1.0/",
  microsoft: "http://ns.microsoft.com/photo/1.0/",
  acdsee: "http://ns.acdsee.com/iptc/1.0/",
} as const;

/** A part of a text, as offsets in UTF-16 units; the end is not in it. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** A property of XMP where it stands, as an attribute or as an element. */
export interface Property {
  readonly value: string;
  /** What stands for the value, without quotes; undefined for an element that is empty (`<xmp:Rating/>`) . */
  readonly content: Span | undefined;
  /** The attribute or the element with the blanks before it. */
  readonly whole: Span;
  /** Set where the value is not text alone: it has qualifiers, or parts. */
  readonly isComplex?: true;
}

/** A start tag, as it is written. */
export interface StartTag {
  readonly attributes: readonly { readonly name: string; readonly value: Span; readonly whole: Span }[];
  /** Where a further attribute goes. */
  readonly attributesEnd: number;
  readonly end: number;
  readonly isEmpty: boolean;
}

/** An XMP file as its text, with the places of what is in it. */
export interface XmpDocument {
  readonly text: string;
  /** Elements `rdf:Description` that hold the properties, in order. */
  readonly descriptions: readonly XmlElement[];
  /** `rdf:RDF`, or, where it is missing, the `x:xmpmeta` that it goes into. */
  readonly holder: XmlElement;
  readonly hasRdf: boolean;
}

/**
 * Reads an XMP file.
 * @throws SidecarError `damaged` when it is no well-formed XML, `not-xmp` when it is of another kind
 */
export function readXmp(text: string): XmpDocument {
  const root = rootOf(text);
  const rdf = [root, ...elementsIn(root)].find((element) => isNamed(element, namespaces.rdf, "RDF"));
  if (!rdf && !(isNamed(root, namespaces.meta, "xmpmeta") || isNamed(root, namespaces.meta, "xapmeta"))) {
    throw new SidecarError("not-xmp", `it is XML (${root.name}), but no XMP; rename it, or remove it`);
  }
  const holder = rdf ?? root;
  const descriptions = rdf ? elementsIn(rdf).filter((element) => isNamed(element, namespaces.rdf, "Description")) : [];
  return { text, descriptions, holder, hasRdf: rdf !== undefined };
}

function rootOf(text: string): XmlElement {
  try {
    const options = {
      includeOffsets: true,
      preserveComments: true,
      preserveCdata: true,
      ignoreUndefinedEntities: true,
    };
    return parseXml(text, options).root!;
  } catch (cause) {
    // Nesting without end overflows the parser's stack.
    const [what] = (cause instanceof RangeError ? "it is nested too deeply" : (cause as Error).message).split("\n");
    const where = text.trim() === "" ? "it is empty" : `it is no well-formed XML: ${what}`;
    throw new SidecarError("damaged", `${where}; mend it with the program that wrote it, or remove it`, { cause });
  }
}

function elementsIn(parent: XmlElement): XmlElement[] {
  return parent.children.filter((node): node is XmlElement => node instanceof XmlElement);
}

/** Namespaces by the prefixes that an element may use; the default one by "". */
export function scopeOf(element: XmlElement): Map<string, string> {
  const { parent } = element;
  const scope = parent instanceof XmlElement ? scopeOf(parent) : new Map<string, string>();
  for (const [name, value] of Object.entries(element.attributes)) {
    if (name === "xmlns") scope.set("", value);
    else if (name.startsWith("xmlns:")) scope.set(name.slice(6), value);
  }
  return scope;
}

function split(name: string): [prefix: string, local: string] {
  const colon = name.indexOf(":");
  return colon < 0 ? ["", name] : [name.slice(0, colon), name.slice(colon + 1)];
}

function isNamed(element: XmlElement, namespace: string, local: string): boolean {
  const [prefix, own] = split(element.name);
  return own === local && scopeOf(element).get(prefix) === namespace;
}

const attributeForm = /([ \t\r\n]+)([^\s=/>]+)([ \t\r\n]*=[ \t\r\n]*)(?:"([^"]*)"|'([^']*)')/y;

/** The start tag of an element of a well-formed text. */
export function startTagOf(text: string, element: XmlElement): StartTag {
  const attributes: StartTag["attributes"][number][] = [];
  let at = element.start + 1 + element.name.length;
  for (;;) {
    attributeForm.lastIndex = at;
    const found = attributeForm.exec(text);
    if (!found) break;
    const [all, blank, name, equal] = found as unknown as [string, string, string, string];
    const start = at + blank.length + name.length + equal.length + 1;
    const end = at + all.length;
    attributes.push({ name, value: { start, end: end - 1 }, whole: { start: at, end } });
    at = end;
  }
  const close = text.indexOf(">", at);
  return { attributes, attributesEnd: at, end: close + 1, isEmpty: text[close - 1] === "/" };
}

/** Every place where a property of the picture stands; more than one only where a program did not look for the first. */
export function propertiesOf(document: XmpDocument, namespace: string, local: string): Property[] {
  return document.descriptions.flatMap((description) => {
    const scope = scopeOf(description);
    const asAttribute = startTagOf(document.text, description).attributes.flatMap(({ name, value, whole }) => {
      const [prefix, own] = split(name);
      if (own !== local || prefix === "" || scope.get(prefix) !== namespace) return [];
      return [{ value: description.attributes[name]!.trim(), content: value, whole }];
    });
    const asElement = elementsIn(description)
      .filter((element) => isNamed(element, namespace, local))
      .map((element) => elementProperty(document.text, element));
    return [...asAttribute, ...asElement];
  });
}

function elementProperty(text: string, element: XmlElement): Property {
  const tag = startTagOf(text, element);
  const isPlain =
    element.children.every((node: XmlNode) => node instanceof XmlText) &&
    Object.keys(element.attributes).every(
      (name) => name === "xmlns" || name.startsWith("xmlns:") || name === "xml:lang",
    );
  const blanks = /[ \t\r\n]*$/.exec(text.slice(0, element.start))![0].length;
  return {
    value: element.text.trim(),
    content: tag.isEmpty ? undefined : { start: tag.end, end: text.lastIndexOf("</", element.end - 1) },
    whole: { start: element.start - blanks, end: element.end },
    ...(!isPlain && { isComplex: true }),
  };
}
