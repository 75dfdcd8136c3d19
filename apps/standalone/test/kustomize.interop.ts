import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { renderKustomization } from "../src/kustomize.ts";

test("the laptop's overlay renders as kubectl renders it", async () => {
  const overlay = fileURLToPath(new URL("../../../infra/kubernetes/overlays/standalone", import.meta.url));
  const { status, stdout, stderr } = spawnSync("kubectl", ["kustomize", overlay], { encoding: "utf8" });
  expect([status, stderr]).toEqual([0, ""]);
  const byName = (objects: { kind: string; metadata: { name: string; namespace?: string } }[]) =>
    Object.fromEntries(
      objects.map((object) => [`${object.kind} ${object.metadata.namespace}/${object.metadata.name}`, object]),
    );
  const expected = parseAllDocuments(stdout).map((document) => document.toJS());
  expect(byName(await renderKustomization(overlay))).toEqual(byName(expected));
});
