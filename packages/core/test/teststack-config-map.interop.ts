import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { parse } from "yaml";

const FOLDER = fileURLToPath(new URL("../../../infra/kubernetes/templates/generated", import.meta.url));

test("kustomize puts the example into one ConfigMap, under the name that the orchestrator looks for", () => {
  const rendered = execFileSync("kubectl", ["kustomize", FOLDER], { encoding: "utf8" });
  expect(parse(rendered)).toEqual({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "teststack", namespace: "teststack-templates" },
    data: { "teststack.yaml": readFileSync(`${FOLDER}/teststack.yaml`, "utf8") },
  });
});
