import { expect, test } from "bun:test";
import { bars } from "../../../models/report/chart.ts";
import { escapeHtml, renderPage } from "../../../models/report/page.ts";

const svg = bars({
  description: "SRCC",
  y: { label: "SRCC" },
  categories: ["A & B"],
  series: [{ name: "s", values: [0.87] }],
});

const html = renderPage({
  title: "Report <1>",
  summary: 'seed "7"',
  sections: [
    {
      title: "Results & more",
      blocks: [
        { kind: "paragraph", text: "<script>alert(1)</script>" },
        {
          kind: "table",
          headers: ["method", "SRCC"],
          rows: [
            ["<i>CPL</i>", 0.9127],
            ["rival", null],
          ],
          caption: "5 seeds",
        },
        { kind: "figure", svg, caption: "by <set>" },
        {
          kind: "pictures",
          pictures: [
            { data: new Uint8Array([255, 216, 255]), type: "image/jpeg", caption: '"><img src=x onerror=alert(1)>' },
          ],
        },
      ],
    },
  ],
});

test("every text is escaped", () => {
  expect(escapeHtml(`<&>"'`)).toBe("&lt;&amp;&gt;&quot;&#39;");
  expect(html).toContain("<title>Report &lt;1&gt;</title>");
  expect(html).toContain("seed &quot;7&quot;");
  expect(html).toContain("&lt;script&gt;alert(1)&lt;/script&gt;");
  expect(html).toContain("&lt;i&gt;CPL&lt;/i&gt;");
  expect(html).toContain("by &lt;set&gt;");
  expect(html).not.toMatch(/<script|<i>|<img src=x/);
});

test("nothing outside the page is asked for", () => {
  expect(html).not.toMatch(/https?:|\/\/[a-z]|@import|url\((?!#)/i);
  for (const [, source] of html.matchAll(/(?:src|href)="([^"]*)"/g)) expect(source).toMatch(/^(data:image\/|#)/);
  expect(html).toContain("default-src 'none'");
});

test("numbers, captions, pictures and the chart are there", () => {
  expect(html).toContain('<td class="number">0.9127</td>');
  expect(html).toContain("<caption>5 seeds</caption>");
  expect(html).toContain("data:image/jpeg;base64,/9j/");
  expect(html).toContain("A &amp; B");
  expect(html).toContain("prefers-color-scheme:dark");
});

test("numbers, also several in a cell, stand to the right with a minus", () => {
  const rows = [
    ["-a", "-0.5", "−0.2 to +0.4", "2 of 3", "6 / 10 / 3 / 5"],
    ["-b", "–", "-0.2 to 0.4", "1 of 3", "6 / 10 / 3 / 5"],
  ];
  const headers = ["what", "a header of many letters", "interval", "better in", "parts"];
  const table = renderPage({ title: "", sections: [{ title: "", blocks: [{ kind: "table", headers, rows }] }] });
  expect(table).toContain('<td>-a</td><td class="number">−0.5</td><td class="number">−0.2 to +0.4</td>');
  expect(table).toContain('<td class="number">1 of 3</td><td class="number">6 / 10 / 3 / 5</td>');
  expect(table).toContain('<th scope="col" class="number long">a header');
});

test.each([
  "<div></div>",
  "<svg><script></script></svg>",
  '<svg onload="x"></svg>',
  '<svg><image href="x.png"/></svg>',
])("a figure that is not plain SVG is refused: %s", (figure) => {
  const blocks = [{ kind: "figure", svg: figure, caption: "" }] as const;
  expect(() => renderPage({ title: "t", sections: [{ title: "s", blocks }] })).toThrow(TypeError);
});
