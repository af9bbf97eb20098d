// `bun run bench:service`: a service under load beside the library on the same files. Prints Markdown, or JSON with --json.
import { parseArgs } from "node:util";
import { quantile } from "./service-load.ts";
import { measureService, type ServiceBench } from "./service-measure.ts";

const { values } = parseArgs({
  options: {
    model: { type: "string" },
    batch: { type: "string" },
    seconds: { type: "string", default: "60" },
    rounds: { type: "string", default: "3" },
    clients: { type: "string", multiple: true, default: ["16,256"] },
    pictures: { type: "string", default: "64" },
    requests: { type: "string", default: "10000" },
    quick: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});

const quick = { seconds: 2, rounds: 2, clients: [4, 16], pictures: 12, requests: 200, quick: true };
const result = await measureService(
  values.quick
    ? quick
    : {
        ...(values.model && { model: values.model }),
        ...(values.batch && { batch: number("batch", values.batch) }),
        seconds: number("seconds", values.seconds),
        rounds: number("rounds", values.rounds),
        clients: values.clients.flatMap((text) => text.split(",")).map((text) => number("clients", text)),
        pictures: number("pictures", values.pictures),
        requests: number("requests", values.requests),
        quick: false,
      },
);
console.log(values.json ? JSON.stringify(result, null, 2) : report(result));
const unanswered = [...result.loads, result.memory.load].some(({ wrong, lost }) => wrong + lost > 0);
process.exitCode = unanswered ? 1 : 0;

function number(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new Error(`--${name} must be above 0, got ${JSON.stringify(text)}`);
  return value;
}

function percent(ratio: number): string {
  return `${(100 * ratio).toFixed(0)} %`;
}

function report(measured: ServiceBench): string {
  const { machine, model, pictures, differentScores, scoreMany, networkMs, aloneMs, loads, memory } = measured;
  const rows = loads.map((load) => [
    load.clients,
    load.right,
    load.perSecond.toFixed(1),
    percent(quantile(load.ratios, 0.5)),
    load.ratios.map(percent).join(", "),
    ...[0.5, 0.95, 0.99].map((share) => quantile(load.latenciesMs, share).toFixed(0)),
    quantile(load.aboveMs, 0.5).toFixed(1),
    load.wrong,
    load.lost,
    Object.entries(load.refused)
      .map(([status, count]) => `${count} x ${status}`)
      .join(", ") || 0,
  ]);
  const heads = [
    "clients",
    "right",
    "pictures/s",
    "of scoreMany, median",
    "each round",
    "p50 ms",
    "p95 ms",
    "p99 ms",
    "ms a picture above the network",
    "wrong",
    "lost",
    "refused",
  ];
  const table = [heads, heads.map(() => "---"), ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");
  const mebibytes = (bytes: number) => (bytes / 2 ** 20).toFixed(1);
  const growth = 100 * (memory.atEnd / memory.afterWarmUp - 1);
  return `${table}

- ${model}; ${pictures} JPEG files of 500 x 500, ${differentScores} different scores; ${machine}.
- \`scoreMany\` before and after every load: ${scoreMany.map((rate) => rate.toFixed(1)).join(", ")} pictures/s; the network alone before each round ${networkMs.map((ms) => ms.toFixed(1)).join(", ")} ms a picture.
- One picture after another: ${aloneMs.library.toFixed(1)} ms by the library, ${aloneMs.service.toFixed(1)} ms by the service.
- Memory of the process (a small model, ${memory.load.right} right answers, ${memory.load.wrong} wrong, ${memory.load.lost} lost): ${mebibytes(memory.afterWarmUp)} MiB after warm-up, ${mebibytes(memory.atEnd)} MiB at the end, ${growth >= 0 ? "+" : ""}${growth.toFixed(1)} %.`;
}
