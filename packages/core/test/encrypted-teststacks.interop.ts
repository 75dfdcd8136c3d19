import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { parseAllDocuments, stringify } from "yaml";
import { edgeProfiles } from "../src/edge/index.ts";
import { ANY_TESTSTACK } from "../src/pki/index.ts";
import { TLS_PORT } from "../src/teststack/index.ts";

const KUBERNETES = fileURLToPath(new URL("../../../infra/kubernetes", import.meta.url));

interface Manifest {
  kind: string;
  metadata: { name: string; namespace: string };
  data: Record<string, string>;
  rules: { resources: string[]; resourceNames?: string[]; verbs: string[] }[];
  spec: { ingress: { ports: object[] }[]; egressMTLS: Record<string, unknown> };
}

test.each([
  ["ingress-nginx", "encrypted-teststacks"],
  ["f5", "encrypted-teststacks-f5"],
] as const)(
  "with the edge %s, the component adds what encryption needs, and opens the sidecar's port in place of the runner's",
  (edge, component) => {
    const [before, after] = [render(edge, []), render(edge, [component])];
    expect(after("ConfigMap", "orchestrator-settings").data).toEqual({
      ...before("ConfigMap", "orchestrator-settings").data,
      TESTSTACK_ENCRYPTION: "sidecar",
    });
    const secrets = { apiGroups: [""], resources: ["secrets"] };
    expect(after("Role", "orchestrator", "test-orchestration").rules).toEqual([
      ...before("Role", "orchestrator", "test-orchestration").rules,
      { ...secrets, resourceNames: ["teststack-internal-ca"], verbs: ["list", "watch"] },
    ]);
    expect(after("Role", "orchestrator", "test-execution").rules).toEqual([
      ...before("Role", "orchestrator", "test-execution").rules,
      { ...secrets, verbs: ["create", "get"] },
      { ...secrets, resourceNames: ["teststack-edge-client"], verbs: ["list", "watch"] },
    ]);
    const policy = after("NetworkPolicy", "teststack-from-edge-and-orchestrator");
    expect(policy.spec.ingress.flatMap(({ ports }) => ports)).toEqual([{ protocol: "TCP", port: TLS_PORT }]);
  },
);

test("the Policy that F5's routes name verifies the name that every instance has", () => {
  const route = edgeProfiles.f5.buildRoute({
    ...{ installationId: "i", teststackId: "t", name: "ts-abc", namespace: "test-execution", servicePort: 80 },
    ...{ proxyPrefix: "", caSecretName: "ca", owner: { apiVersion: "v1", kind: "Pod", name: "ts-abc", uid: "u" } },
    hostSettings: { host: "cactus.test", tlsSecretName: "tls", ingressClassName: "nginx" },
    upstreamTls: { clientSecretName: "teststack-edge-client" },
  });
  const name = route.metadata?.annotations?.["nginx.org/policies"] ?? "";
  const { spec } = render("f5", ["encrypted-teststacks-f5"])("Policy", name);
  expect(spec.egressMTLS).toMatchObject({ sslName: ANY_TESTSTACK, verifyServer: true, serverName: true });
});

/** Renders an operator's overlay, and gives what finds an object in it. */
function render(edge: string, components: string[]): (kind: string, name: string, namespace?: string) => Manifest {
  const folder = mkdtempSync(join(tmpdir(), "overlay-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const overlay = {
    apiVersion: "kustomize.config.k8s.io/v1beta1",
    kind: "Kustomization",
    resources: [relative(folder, join(KUBERNETES, "overlays", edge))],
    components: components.map((component) => relative(folder, join(KUBERNETES, "components", component))),
  };
  writeFileSync(join(folder, "kustomization.yaml"), stringify(overlay));
  const text = execFileSync("kubectl", ["kustomize", folder], { encoding: "utf8" });
  const objects: Manifest[] = parseAllDocuments(text).map((document) => document.toJS());
  return (kind, name, namespace) => {
    const isMeant = ({ metadata }: Manifest): boolean =>
      metadata.name.replace(/-[a-z0-9]{10}$/, "") === name && (namespace ?? metadata.namespace) === metadata.namespace;
    const found = objects.find((object) => object.kind === kind && isMeant(object));
    if (found === undefined) throw new Error(`there is no ${kind} ${name}`);
    return found;
  };
}
