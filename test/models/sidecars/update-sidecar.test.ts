import { describe, expect, test } from "bun:test";
import { SidecarError, sidecarNamespace, updateSidecar } from "../../../models/sidecars/index.ts";
import { namespaces } from "../../../models/sidecars/xmp-document.ts";
import { textOf } from "../../../models/sidecars/xmp-encoding.ts";
import { darktableSidecar, digikamSidecar, lightroomSidecar } from "./sidecar-texts.ts";

const rating = (value: string | undefined) => ({ namespace: namespaces.xmp, name: "Rating", value });
const score = (value: string | undefined) => ({ namespace: sidecarNamespace, name: "Score", value });
const rdf = `xmlns:rdf="${namespaces.rdf}"`;
const xmp = `xmlns:xmp="${namespaces.xmp}"`;
const wrapped = (description: string, attributes = "") =>
  `<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF ${rdf}${attributes}>${description}</rdf:RDF></x:xmpmeta>`;

describe("a value is replaced where it stands and nothing else changes", () => {
  const forms: Record<string, readonly [before: string, after: string]> = {
    "an attribute": [
      `<rdf:Description rdf:about="" ${xmp} xmp:Rating="1" xmp:Label='a'/>`,
      `<rdf:Description rdf:about="" ${xmp} xmp:Rating="4" xmp:Label='a'/>`,
    ],
    "an attribute with other quotes and blanks": [
      `<rdf:Description\trdf:about=''\r\n  ${xmp}\n xmp:Rating = '1' />`,
      `<rdf:Description\trdf:about=''\r\n  ${xmp}\n xmp:Rating = '4' />`,
    ],
    "an element": [
      `<rdf:Description rdf:about="" ${xmp}><!-- <xmp:Rating>9</xmp:Rating> --><xmp:Rating>1</xmp:Rating></rdf:Description>`,
      `<rdf:Description rdf:about="" ${xmp}><!-- <xmp:Rating>9</xmp:Rating> --><xmp:Rating>4</xmp:Rating></rdf:Description>`,
    ],
    "an element with CDATA": [
      `<rdf:Description rdf:about="" ${xmp}><xmp:Rating><![CDATA[1]]></xmp:Rating ></rdf:Description>`,
      `<rdf:Description rdf:about="" ${xmp}><xmp:Rating>4</xmp:Rating ></rdf:Description>`,
    ],
    "an empty element": [
      `<rdf:Description rdf:about="" ${xmp}><xmp:Rating /></rdf:Description>`,
      `<rdf:Description rdf:about="" ${xmp}><xmp:Rating>4</xmp:Rating></rdf:Description>`,
    ],
    "another prefix, while the usual one means something else": [
      `<rdf:Description rdf:about="" xmlns:xap="${namespaces.xmp}" xmlns:xmp="urn:other" xmp:Rating="7" xap:Rating="1"/>`,
      `<rdf:Description rdf:about="" xmlns:xap="${namespaces.xmp}" xmlns:xmp="urn:other" xmp:Rating="7" xap:Rating="4"/>`,
    ],
    "the second of several descriptions": [
      `<rdf:Description rdf:about="" xmlns:a="urn:a" a:b="1 > 0"/>\n<rdf:Description rdf:about="" ${xmp} xmp:Rating="1"></rdf:Description>`,
      `<rdf:Description rdf:about="" xmlns:a="urn:a" a:b="1 > 0"/>\n<rdf:Description rdf:about="" ${xmp} xmp:Rating="4"></rdf:Description>`,
    ],
    "both of two that disagree": [
      `<rdf:Description rdf:about="" ${xmp} xmp:Rating="1"/><rdf:Description rdf:about="" ${xmp}><xmp:Rating>2</xmp:Rating></rdf:Description>`,
      `<rdf:Description rdf:about="" ${xmp} xmp:Rating="4"/><rdf:Description rdf:about="" ${xmp}><xmp:Rating>4</xmp:Rating></rdf:Description>`,
    ],
  };
  for (const [name, [before, after]] of Object.entries(forms)) {
    test(name, () => expect(updateSidecar(wrapped(before), [rating("4")])).toBe(wrapped(after)));
  }

  test("a rating deeper within, which is another thing's, is left alone", () => {
    const nested = wrapped(
      `<rdf:Description rdf:about="" xmlns:a="urn:a" ${xmp}><a:of><rdf:Description xmp:Rating="2"/></a:of></rdf:Description>`,
    );
    expect(updateSidecar(nested, [rating("4")])).toBe(nested.replace(`${xmp}><a:of>`, `${xmp} xmp:Rating="4"><a:of>`));
  });

  test("the value that is there already changes nothing", () => {
    const text = wrapped(`<rdf:Description rdf:about="" ${xmp} xmp:Rating=' 4 '/>`);
    expect(updateSidecar(text, [rating("4")])).toBe(text);
  });

  test("characters beyond the first plane before it do not move the place", () => {
    const text = wrapped(`<rdf:Description rdf:about="𝄞🎞" ${xmp} xmp:Rating="1" xmp:Label="🎞"/>`);
    expect(updateSidecar(text, [rating("4")])).toBe(text.replace('Rating="1"', 'Rating="4"'));
  });
});

describe("what is missing is added", () => {
  test("as attributes of the first description, on lines as those before", () => {
    const text = wrapped(`<rdf:Description rdf:about=""\r\n    xmlns:a="urn:a"\r\n   a:b="1">\r\n</rdf:Description>`);
    const added = `a:b="1"\r\n   ${xmp}\r\n   xmp:Rating="4"\r\n   xmlns:acutance="${sidecarNamespace}"\r\n   acutance:Score="5">`;
    expect(updateSidecar(text, [rating("4"), score("5")])).toBe(text.replace('a:b="1">', added));
  });

  test("with a prefix that is free", () => {
    const text = wrapped('<rdf:Description rdf:about="" xmlns:xmp="urn:other"/>');
    const done = updateSidecar(text, [rating("4")]);
    expect(done).toBe(text.replace("/></rdf:RDF>", ` xmlns:xmp2="${namespaces.xmp}" xmp2:Rating="4"/></rdf:RDF>`));
  });

  test.each([
    ["no description", wrapped("")],
    ["an empty RDF", `<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF ${rdf}/></x:xmpmeta>`],
    ["no RDF", `<x:xmpmeta xmlns:x="adobe:ns:meta/"/>`],
    ["the RDF alone", `<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><rdf:RDF ${rdf}/>\n<?xpacket end="w"?>`],
    ["RDF as the default namespace", `<RDF xmlns="${namespaces.rdf}"></RDF>`],
  ])("where there is %s", (_, text) => {
    const done = updateSidecar(text, [rating("4")]);
    expect(done).toContain('xmp:Rating="4"');
    // It reads what it wrote.
    expect(updateSidecar(done, [rating("4")])).toBe(done);
    expect(updateSidecar(done, [rating("2")])).toBe(done.replace('xmp:Rating="4"', 'xmp:Rating="2"'));
  });

  test("values are escaped, and come back", () => {
    const value = `a<b>&"c" 'd' é 🎞\n`;
    const done = updateSidecar(wrapped('<rdf:Description rdf:about=""/>'), [score(value)]);
    expect(done).toContain("a&lt;b&gt;&amp;&quot;c&quot; &apos;d&apos; &#xE9; &#x1F39E;&#xA;");
    expect(updateSidecar(done, [score(value.trim())])).toBe(done);
  });
});

test("removing takes the attribute or the element with the blanks before it", () => {
  const text = wrapped(
    `<rdf:Description rdf:about="" ${xmp}\n  xmp:Rating="1"><a/>\n  <xmp:Rating>1</xmp:Rating>\n</rdf:Description>`,
  );
  const done = wrapped(`<rdf:Description rdf:about="" ${xmp}><a/>\n</rdf:Description>`);
  expect(updateSidecar(text, [rating(undefined)])).toBe(done);
  expect(updateSidecar(text, [rating(undefined), score("1")])).toBe(
    done.replace(`${xmp}>`, `${xmp}\n  xmlns:acutance="${sidecarNamespace}"\n  acutance:Score="1">`),
  );
});

describe("sidecars as programs write them change in one place", () => {
  test.each([
    ["darktable", darktableSidecar, 'xmp:Rating="1"'],
    ["Lightroom", lightroomSidecar, 'xmp:Rating="3"'],
    ["digiKam", digikamSidecar, 'xmp:Rating="3"'],
  ])("%s", (_, text, there) => {
    expect(text.split(there).length).toBe(2);
    expect(updateSidecar(text, [rating("5")])).toBe(text.replace(there, 'xmp:Rating="5"'));
  });
});

describe("refused, with what to do", () => {
  test.each([
    ["an empty file", "", "damaged", "it is empty"],
    ["one that ends early", lightroomSidecar.slice(0, -20), "damaged", "no well-formed XML"],
    ["no XML", "Rating=3", "damaged", "no well-formed XML"],
    ["nesting without end", "<a>".repeat(200_000), "damaged", ""],
    ["another XML", "<svg/>", "not-xmp", "it is XML (svg), but no XMP"],
    [
      "a rating with qualifiers",
      wrapped(
        `<rdf:Description rdf:about="" ${xmp}><xmp:Rating rdf:parseType="Resource"><rdf:value>1</rdf:value></xmp:Rating></rdf:Description>`,
      ),
      "not-xmp",
      "its Rating has qualifiers",
    ],
  ] as const)("%s", (_, text, reason, says) => {
    let error: unknown;
    try {
      updateSidecar(text, [rating("4")]);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(SidecarError);
    expect((error as SidecarError).reason).toBe(reason);
    expect((error as SidecarError).message).toContain(says);
  });
});

describe("bytes come back as they were", () => {
  const text = wrapped('<rdf:Description rdf:about="é𝄞"/>');
  const utf16 = Buffer.from(`\ufeff${text}`, "utf16le");
  test.each([
    ["UTF-8", Buffer.from(text)],
    ["UTF-8 with a mark", Buffer.from(`\ufeff${text}`)],
    ["UTF-16, the low byte first", utf16],
    ["UTF-16, the high byte first", Buffer.from(utf16).swap16()],
    ["UTF-16 without a mark", Buffer.from(`<?xml version="1.0" encoding="UTF-16"?>${text}`, "utf16le")],
    ["windows-1252", Buffer.from('<?xml version="1.0" encoding="windows-1252"?><a b="\x80\xe9\x81"/>', "latin1")],
  ])("%s", (_, bytes) => {
    const read = textOf(bytes);
    expect(Buffer.from(read.encode(read.text))).toEqual(bytes);
  });

  test.each([
    ["UTF-32", Buffer.from([0xff, 0xfe, 0, 0]), "UTF-32"],
    ["bytes that are no UTF-8", Buffer.from([0x3c, 0xff]), "no UTF-8"],
    ["half a character of UTF-16", Buffer.concat([utf16, Buffer.from([0x3d])]), "no UTF-16LE"],
    ["Shift_JIS", Buffer.from('<?xml version="1.0" encoding="Shift_JIS"?><a/>'), "its encoding is shift_jis"],
  ])("%s is refused", (_, bytes, says) => {
    expect(() => textOf(bytes)).toThrow(says);
  });
});
