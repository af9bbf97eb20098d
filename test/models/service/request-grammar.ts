import { Random } from "../../../engine/random.ts";
import { mutations } from "../../engine/weights/fuzz.ts";

/** A request as bytes. */
export interface WrittenRequest {
  readonly bytes: Buffer;
  /** Its lines and lengths are as HTTP wants them: it must be answered, or its connection ended, in time. */
  readonly isWhole: boolean;
}

const boundaryLetters = "bX-'()+_,./:=? \"äé%\t";

/** A request to the service by a grammar of requests, headers and forms, right or wrong in one place or another, then damaged or not. */
export function writtenRequest(seed: number, picture: Uint8Array): WrittenRequest {
  const random = new Random(seed, "requests");
  const pick = <T>(...choices: readonly T[]): T => choices[random.integer(choices.length)]!;
  const chance = (share: number) => random.uniform() < share;
  const bytesOf = (text: string) => Buffer.from(text, "latin1");
  const noise = (most: number) =>
    Buffer.from(Array.from({ length: random.integer(most + 1) }, () => random.integer(256)));
  const word = (most: number) =>
    Array.from({ length: random.integer(most + 1) }, () => pick(..."abcXYZ019-_")).join("");

  const boundary = boundaryBy(random, pick, chance);
  const content = () =>
    pick(...(chance(0.03) ? [Buffer.from(picture)] : [noise(60), bytesOf(word(20)), Buffer.alloc(0)]));
  const form = () => {
    const eol = chance(0.95) ? "\r\n" : pick("\n", "\r", "");
    const parts = Array.from({ length: random.integer(5) }, () => {
      const name = pick("a", "", '"', "\\", "%22", "\xe4", "\xff\xfe", "a;b=c", "x".repeat(random.integer(300)));
      const file = pick(
        '; filename="a.png"',
        `; filename="${name}"`,
        "; filename*=UTF-8''%e2%82",
        "; filename=",
        "",
        ";;;",
      );
      const disposition = `Content-Disposition: ${pick("form-data", "attachment", "", "form-data ")}; name="${name}"${file}`;
      const more = pick(
        "",
        "",
        `${eol}Content-Type: ${pick("image/png", "", "x", "\x00")}`,
        `${eol}${word(200)}`,
        `${eol} ${word(9)}`,
      );
      const header = chance(0.05) ? "x".repeat(random.integer(20_000)) : disposition + more;
      return [
        bytesOf(`--${boundary}${pick("", "", "", " ", "x")}${eol}${header}${eol}${eol}`),
        content(),
        bytesOf(eol),
      ];
    });
    const end = chance(0.85)
      ? `--${boundary}--`
      : pick("", `--${boundary}`, `--${boundary}-`, `--${boundary.slice(1)}--`);
    return Buffer.concat([
      bytesOf(pick("", "", eol, "preamble\r\n")),
      ...parts.flat(),
      bytesOf(end + pick("", eol, "epilogue")),
    ]);
  };

  const kind = pick("form", "form", "form", "picture", "json", "none");
  const body = {
    form,
    picture: content,
    json: () => bytesOf(pick('{"url":"https://a.b/c"}', "{}", "[")),
    none: () => noise(40),
  }[kind]();
  const quoted = chance(0.2) ? `"${boundary}"` : boundary;
  const types = {
    form: `multipart/form-data; boundary=${quoted}${pick("", "", "; charset=utf-8", "; boundary=other")}`,
    picture: pick("image/png", "application/octet-stream", "image/*", ""),
    json: pick("application/json", "application/x-ndjson"),
    none: pick("text/plain", "multipart/mixed", "x".repeat(random.integer(3000)), "multipart/form-data", "image/png;"),
  };
  const isChunked = chance(0.25);
  const isFramed = chance(0.85);
  const length = isFramed
    ? String(body.length)
    : pick(String(body.length + random.integer(50)), "-1", "1e3", " ", "9".repeat(30), "0");
  const framing = isChunked ? "Transfer-Encoding: chunked" : `Content-Length: ${length}`;
  const isScoring = chance(0.9);
  const target = isScoring
    ? pick("/v1/score", "/v1/score/stream", "/v1/score?model=small", "/v1/explain?tiles=2")
    : pick("/health", "/", "/v1/score?model=", "/v1/explain?tiles=999", "//v1/score", "/%zz?%zz", "*");
  const isPlain = chance(0.9);
  const version = isPlain ? "HTTP/1.1" : pick("HTTP/1.0", "HTTP/2.0", "HTTP/9", "");
  const headers = [
    `Host: ${pick("localhost", "localhost", "127.0.0.1:80", "[::1]", isPlain ? "localhost" : pick("", "evil", "a b"))}`,
    ...(types[kind] ? [`Content-Type: ${types[kind]}`] : []),
    framing,
    ...(chance(0.1) ? [`X-${word(5)}: ${word(3000)}`] : []),
    ...(chance(0.05) ? ["Expect: 100-continue"] : []),
    ...(chance(0.05) ? [`Origin: ${pick("null", "http://localhost", "https://evil.example", "x")}`] : []),
    ...(isFramed
      ? []
      : chance(0.3)
        ? [pick(framing, "Content-Length: 3", `: ${word(4)}`, `${word(4)}`, "A:\x00b")]
        : []),
  ];
  const method = chance(0.95) ? "POST" : pick("GET", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW", "");
  const head = bytesOf(`${method} ${target} ${version}\r\n${headers.join("\r\n")}\r\n\r\n`);
  const whole = Buffer.concat([head, isChunked ? chunksOf(body, random, isFramed) : body]);
  const names = Object.keys(mutations);
  const isDamaged = chance(0.3) && whole.length > 0;
  const damaged = isDamaged ? Buffer.from(mutations[pick(...names)]!(whole, random, [whole])) : whole;
  const isRuntimes =
    method === "BREW" || method === "" || /[^\x20-\x7e]/.test(head.toString("latin1").replace(/\r\n/g, ""));
  return { bytes: damaged, isWhole: !isDamaged && isFramed && isPlain && !isRuntimes };
}

function boundaryBy(
  random: Random,
  pick: <T>(...choices: readonly T[]) => T,
  chance: (share: number) => boolean,
): string {
  // Around the lengths at which tables and limits end.
  const length = chance(0.6)
    ? 1 + random.integer(40)
    : pick(0, 1, 69, 70, 71, 126, 127, 128, 250, 251, 252, 254, 255, 256, 400);
  if (chance(0.5)) return pick("b", "-", "=").repeat(length);
  return Array.from({ length }, () => boundaryLetters[random.integer(chance(0.9) ? 3 : boundaryLetters.length)]).join(
    "",
  );
}

/** A body in chunks, with extensions here and there; broken in one place unless it is to be right. */
function chunksOf(body: Buffer, random: Random, isRight: boolean): Buffer {
  const pieces: Buffer[] = [];
  for (let at = 0; at < body.length; ) {
    const piece = body.subarray(at, at + 1 + random.integer(80));
    at += piece.length;
    pieces.push(
      Buffer.from(`${piece.length.toString(16)}${random.integer(9) === 0 ? ";a=b" : ""}\r\n`),
      piece,
      Buffer.from("\r\n"),
    );
  }
  const broken = ["zz\r\n", "-1\r\n", "ffffffffffffffff\r\n", "", "3\r\nab"][random.integer(5)]!;
  return Buffer.concat([...pieces, Buffer.from(isRight ? "0\r\n\r\n" : broken)]);
}
