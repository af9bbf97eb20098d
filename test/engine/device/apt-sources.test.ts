import { expect, test } from "bun:test";
import { formatDeb822, parseAptSources, parseDeb822, parseOneLine } from "../../../engine/device/apt-sources.ts";

const deb822 = `# made by hand
Types: deb deb-src
# a comment inside
URIs: http://mirror.example/debian http://second.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mQINBF
 -----END PGP PUBLIC KEY BLOCK-----

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main

Types: deb
uris: http://security.example/debian-security
Suites: bookworm-security
Components:
 main
 contrib
`;

test("deb822: lists, comments, continuation lines, disabled stanzas, any case", () => {
  const sources = parseDeb822(deb822);
  expect(sources).toHaveLength(2);
  expect(sources[0]).toMatchObject({
    types: ["deb", "deb-src"],
    uris: ["http://mirror.example/debian", "http://second.example/debian"],
    suites: ["bookworm", "bookworm-updates"],
    components: ["main", "contrib"],
  });
  expect(sources[0]!.fields["Signed-By"]).toContain("\n mQINBF\n");
  expect(sources[1]).toMatchObject({ suites: ["bookworm-security"], components: ["main", "contrib"] });
});

test("one-line format: options become deb822 fields", () => {
  const sources = parseOneLine(`
# deb http://off.example/debian bookworm main
deb [ arch=amd64,arm64 signed-by=/k.gpg check-valid-until=no ] http://mirror.example/debian bookworm main contrib # note
deb-src http://mirror.example/debian bookworm main
garbage
`);
  expect(sources).toEqual([
    {
      types: ["deb"],
      uris: ["http://mirror.example/debian"],
      suites: ["bookworm"],
      components: ["main", "contrib"],
      fields: { Architectures: "amd64 arm64", "Signed-By": "/k.gpg", "Check-Valid-Until": "no" },
    },
    {
      types: ["deb-src"],
      uris: ["http://mirror.example/debian"],
      suites: ["bookworm"],
      components: ["main"],
      fields: {},
    },
  ]);
});

test("the file's name decides the format", () => {
  expect(parseAptSources("debian.sources", deb822)).toHaveLength(2);
  expect(parseAptSources("sources.list", "deb http://mirror.example/debian bookworm main")).toHaveLength(1);
});

test("what is written can be read again", () => {
  for (const source of parseDeb822(deb822)) expect(parseDeb822(formatDeb822(source))).toEqual([source]);
});
