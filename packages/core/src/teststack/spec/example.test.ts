import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { V1Service, V1StatefulSet } from "@kubernetes/client-node";
import { expect, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";
import { z } from "zod";
import { buildOwnerReference, buildService, buildStatefulSet } from "../build.ts";
import { parseTeststackSpec } from "./parse.ts";
import { buildTeststackSpecSchema } from "./schema.ts";
import { toTemplate } from "./to-template.ts";

const MANIFESTS = fileURLToPath(new URL("../../../../../infra/kubernetes", import.meta.url));
const SCHEMA = `${MANIFESTS}/schema/teststack.generated.json`;
const example = readFileSync(`${MANIFESTS}/templates/generated/teststack.yaml`, "utf8");

test("the published JSON Schema is that of the code (`vitest -u` writes it)", async () => {
  await expect(`${JSON.stringify(buildTeststackSpecSchema(), undefined, 2)}\n`).toMatchFileSnapshot(SCHEMA);
});

test("the published JSON Schema accepts the example and marks what is misspelt or missing in it", () => {
  const schema = z.fromJSONSchema(JSON.parse(readFileSync(SCHEMA, "utf8")));
  const spec = parse(example);
  expect(schema.safeParse(spec).error).toBeUndefined();
  const { name, ...nameless } = spec.containers[0];
  for (const broken of [
    nameless,
    { ...nameless, name, comand: [] },
    { ...nameless, name, resources: { limits: { cpu: "x" } } },
  ]) {
    expect(schema.safeParse({ ...spec, containers: [broken] }).success).toBe(false);
  }
});

test.each(["v1.2", "v1.3", "v1.3-beta/storage"])(
  "%s of the example makes the instances that the cloned simulator makes",
  (version) => {
    const cloned = readFileSync(`${MANIFESTS}/templates/simulator/teststack.yaml`, "utf8");
    const [service, statefulSet] = parseAllDocuments(cloned).map((document) => document.toJS()) as [
      V1Service,
      V1StatefulSet,
    ];
    const generated = toTemplate(parseTeststackSpec(example), version, {
      namespace: "teststack-templates",
      name: "teststack",
    });
    const input = {
      installationId: "inst1234",
      teststackId: "0b5f1c3e-0000-4000-8000-000000000001",
      name: "ts-abc",
      namespace: "test-execution",
      appName: "envoy",
      owner: buildOwnerReference("statefulset", { name: "ts-abc", uid: "set-uid" }),
    };
    const template = { statefulSet, service };
    expect(buildStatefulSet({ ...input, template: generated })).toEqual(buildStatefulSet({ ...input, template }));
    expect(buildService({ ...input, template: generated })).toEqual(buildService({ ...input, template }));
  },
);
