import { describe, expect, test } from "bun:test";
import { Random } from "../../../engine/random.ts";
import { boundaryOf, MultipartError, MultipartParser } from "../../../models/service/multipart.ts";
import { readPartHeader } from "../../../models/service/part-header.ts";

/** The parts of a body that comes in pieces of so many bytes, and whether it ended. */
function parse(body: string, boundary: string, pieceBytes = Number.POSITIVE_INFINITY) {
  const parser = new MultipartParser(boundary);
  const bytes = Buffer.from(body, "latin1");
  const parts: [header: string, content: string][] = [];
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    for (const { header, content } of parser.write(bytes.subarray(at, at + pieceBytes))) {
      parts.push([header, Buffer.from(content).toString("latin1")]);
    }
  }
  return { parts, ended: parser.hasEnded };
}

describe("the parts of a form", () => {
  test("are the same however it is cut, with a preamble, an epilogue and spaces behind boundaries", () => {
    const random = new Random(1, "multipart");
    const noise = Array.from({ length: 9000 }, () => String.fromCharCode(random.integer(256))).join("");
    const parts: [string, string][] = [
      ["a: b\r\nc: d", "hello"],
      ["", "no header"],
      ["e: f", ""],
      ["g: h", "\r\n--X\r\n--XY\r\r\n-"],
      ["i: j", noise],
    ];
    const inner = parts
      .map(([header, content]) => `--XX \t\r\n${header && `${header}\r\n`}\r\n${content}`)
      .join("\r\n");
    for (const preamble of ["", "\r\n", "This is a form.\r\n", "--XXno\r\n--X\r\n"]) {
      const body = `${preamble}${inner}\r\n--XX--\r\nepilogue\r\n--XX\r\n`;
      const isDelimiter = preamble.startsWith("--XX");
      for (const pieceBytes of [1, 2, 3, 7, 100, 4096, 5000, body.length]) {
        const parsed = () => parse(body, "XX", pieceBytes);
        // A line that begins with the boundary is a boundary line, and has to end there.
        if (isDelimiter) expect(parsed).toThrow("does not end its line");
        else expect(parsed()).toEqual({ parts, ended: true });
      }
    }
    expect(parse(inner, "XX").ended).toBe(false);
  });

  test("take time in proportion to their bytes, whatever the boundary", () => {
    // A search by a table of bytes goes astray where the boundary's length does not fit one.
    for (const length of [1, 2, 69, 70]) {
      const boundary = "b".repeat(length);
      const start = performance.now();
      const almost = `\r\n--${boundary.slice(1)}c`.repeat(50_000);
      expect(parse("b".repeat(2 ** 22), boundary, 2 ** 16)).toEqual({ parts: [], ended: false });
      expect(parse(`--${boundary}\r\n\r\n${almost}\r\n--${boundary}--`, boundary, 1000).parts).toEqual([["", almost]]);
      expect(performance.now() - start).toBeLessThan(5000);
    }
  });

  test("have headers of at most 16 KiB, also where none ends", () => {
    const long = `--X\r\n${"a".repeat(17_000)}`;
    for (const body of [long, `${long}\r\n\r\n`, `--X${" ".repeat(17_000)}`]) {
      expect(() => parse(body, "X", 500)).toThrow(MultipartError);
    }
  });

  test("have a boundary of at most 70 characters (RFC 2046)", () => {
    expect(boundaryOf("multipart/form-data; boundary=XX")).toBe("XX");
    expect(boundaryOf('Multipart/Form-Data; charset=utf-8; Boundary = "a b:c"; x=y')).toBe("a b:c");
    expect(boundaryOf(`multipart/form-data; boundary=${"b".repeat(70)}`)).toHaveLength(70);
    for (const [type, complaint] of [
      [`multipart/form-data; boundary=${"b".repeat(71)}`, "has 71 characters; at most 70"],
      [`multipart/form-data; boundary=${"b".repeat(254)}`, "has 254 characters"],
      ['multipart/form-data; boundary="ends "', "not allowed"],
      ["multipart/form-data; boundary=\xe4", "not allowed"],
      ["multipart/form-data; boundary=", "names no boundary"],
      ["multipart/form-data", "names no boundary"],
    ] as const) {
      expect(() => boundaryOf(type)).toThrow(complaint);
    }
  });
});

describe("the header of a part", () => {
  test("gives names as they were sent", () => {
    const cases: [disposition: string, filename: string | undefined][] = [
      ['form-data; name="f"; filename="a.jpg"', "a.jpg"],
      ["form-data; name=f; filename=a b.jpg", "a b.jpg"],
      ['FORM-DATA;NAME="f";FILENAME="a.jpg"', "a.jpg"],
      ['form-data; name="f"; filename=""', ""],
      ['form-data; name="f"', undefined],
      ['form-data; filename="a;b=\'c\'.jpg"; name="f"', "a;b='c'.jpg"],
      ['form-data; name="f"; filename="\xc3\xa4\xe2\x82\xac.jpg"', "ä€.jpg"],
      ['form-data; name="f"; filename="\xe4rger.jpg"', "ärger.jpg"],
      ['form-data; name="f"; filename="%22a%22%0D%0A.jpg"', '"a"\r\n.jpg'],
      ['form-data; name="f"; filename="100%25 %.jpg"', "100%25 %.jpg"],
      ['form-data; name="f"; filename="\\"a\\" \\\\ b.jpg"', '"a" \\ b.jpg'],
      ['form-data; name="f"; filename="C:\\new\\table.jpg"', "C:\\new\\table.jpg"],
      ['form-data; name="f"; filename="C:\\new\\"', "C:\\new\\"],
      ['form-data; name="f"; filename="\\\\server\\a.jpg"', "\\\\server\\a.jpg"],
      ['form-data; name="f"; filename="../folder/a.jpg"', "../folder/a.jpg"],
      ['form-data; name="f"; filename="a.jpg"; filename*=UTF-8\'\'%e2%82%ac%20b.jpg', "€ b.jpg"],
      ["form-data; name=\"f\"; filename*=iso-8859-1'de'%E4.jpg", "ä.jpg"],
      ['form-data; name="f"; filename="a.jpg"; filename*=utf-8\'\'%zz', "a.jpg"],
      ['form-data; name="f"; filename="a.jpg"; filename*=koi8-r\'\'%e4', "a.jpg"],
      ['form-data; name="f"; filename="a.jpg', "a.jpg"],
    ];
    for (const [disposition, filename] of cases) {
      const header = `content-type: Image/PNG; x=y\r\nContent-Disposition : ${disposition}\r\nother: line`;
      expect({ disposition, ...readPartHeader(header) }).toEqual({
        disposition,
        name: "f",
        filename,
        type: "image/png",
      });
    }
  });

  test("may be missing, folded or nonsense", () => {
    const nothing = { name: "", filename: undefined, type: "" };
    for (const header of ["", "content-disposition", ":", "content-disposition:;;==;=", "\r\n"]) {
      expect(readPartHeader(header)).toEqual(nothing);
    }
    const folded = 'Content-Disposition: form-data;\r\n name="a";\r\n\tfilename="b"';
    expect(readPartHeader(folded)).toEqual({ name: "a", filename: "b", type: "" });
    const long = `content-disposition: ${'; a="\\'.repeat(50_000)}`;
    const start = performance.now();
    readPartHeader(long);
    expect(performance.now() - start).toBeLessThan(2000);
  });

  test("comes back from the runtime's own forms", async () => {
    const names = ['a"b".jpg', "ä€😀.jpg", "a\\b.jpg", "line\nbreak.jpg", "50% off;x=y.jpg", "folder/a.jpg"];
    const form = new FormData();
    for (const name of names) form.append(name, new File(["x"], name));
    const response = new Response(form);
    const parser = new MultipartParser(boundaryOf(response.headers.get("content-type")!));
    const parts = [...parser.write(new Uint8Array(await response.arrayBuffer()))].map(({ header }) =>
      readPartHeader(header),
    );
    expect(parser.hasEnded).toBe(true);
    // Browsers send the ends of lines in the names of fields, but not of files, as CR LF.
    expect(parts.map(({ filename }) => filename?.replaceAll("\r\n", "\n"))).toEqual(names);
  });
});
