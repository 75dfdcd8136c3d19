import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { renderKustomization } from "./kustomize.ts";

const OVERLAY = fileURLToPath(new URL("../../../infra/kubernetes/overlays/standalone", import.meta.url));

async function inFolder(files: Record<string, string>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "cactus-kustomize-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  return folder;
}

test("the laptop's overlay is the base with the laptop's host", async () => {
  const manifests = await renderKustomization(OVERLAY);
  expect(manifests.map(({ kind, metadata }) => `${kind} ${metadata.name}`)).toEqual([
    "Namespace test-orchestration",
    "Namespace test-execution",
    "Namespace teststack-templates",
    "ServiceAccount orchestrator",
    ...["Role orchestrator", "Role orchestrator", "Role orchestrator"],
    ...["RoleBinding orchestrator", "RoleBinding orchestrator", "RoleBinding orchestrator"],
    "NetworkPolicy default-deny",
    "NetworkPolicy teststack-from-edge-and-orchestrator",
    "NetworkPolicy teststack-to-dns",
    "Ingress test-execution-ingress",
    "Service envoy-svc",
    "StatefulSet envoy-set",
  ]);
  expect(manifests.find(({ kind }) => kind === "Ingress")).toMatchObject({
    spec: { tls: [{ hosts: ["localhost"] }], rules: [{ host: "localhost" }] },
  });
});

const OBJECT = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: a }\ndata: { x: y }\n";
const patch = (name: string, path: string) =>
  `resources: [a.yaml]\npatches:\n  - target: { kind: ConfigMap, name: ${name} }\n    patch: "[{op: replace, path: ${path}, value: z}]"\n`;

test.each([
  ["a key that is not rendered", "namePrefix: x-\nresources: []\n", /uses namePrefix, which is not rendered here/],
  ["a patch of what is not there", patch("b", "/data/x"), /patches ConfigMap b, which is not there/],
  ["a replacement of what is not there", patch("a", "/data/q"), /a patch of \/data\/q \(replace\) cannot be applied/],
])("%s is refused, not rendered differently from kubectl", async (_, kustomization, message) => {
  const folder = await inFolder({ "kustomization.yaml": kustomization, "a.yaml": OBJECT });
  await expect(renderKustomization(folder)).rejects.toThrow(message);
});

test("a replacement is applied", async () => {
  const folder = await inFolder({ "kustomization.yaml": patch("a", "/data/x"), "a.yaml": OBJECT });
  expect(await renderKustomization(folder)).toMatchObject([{ data: { x: "z" } }]);
});
