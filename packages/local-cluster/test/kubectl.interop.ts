import { type ChildProcessWithoutNullStreams, execFile, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type LocalCluster, startLocalCluster } from "../src/index.ts";

/** What a user of `kubectl` does with a cluster, done with this one. */

const PROGRAM = `
console.log("started");
require("node:http").createServer((request, response) => {
  if (request.url === "/exit") process.exit(3);
  console.log("asked for " + request.url);
  response.end("answered");
}).listen(process.env.PORT_8080 ?? 8080, process.env.POD_IP);
`;

const MANIFEST = `
apiVersion: v1
kind: Service
metadata:
  name: web
spec:
  selector: { app: web }
  ports: [{ name: http, port: 80, targetPort: http }]
---
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: web
spec:
  serviceName: web
  selector: { matchLabels: { app: web } }
  template:
    metadata:
      labels: { app: web }
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: main
          image: machine
          command: [node, -e, ${JSON.stringify(PROGRAM)}]
          env:
            - name: POD_IP
              valueFrom: { fieldRef: { fieldPath: status.podIP } }
          ports: [{ name: http, containerPort: 8080 }]
          readinessProbe: { httpGet: { path: /, port: http }, periodSeconds: 1 }
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: web
spec:
  rules:
    - host: web.example.com
      http:
        paths:
          - { path: /, pathType: Prefix, backend: { service: { name: web, port: { name: http } } } }
`;

let folder: string;
let cluster: LocalCluster;
let manifest: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "cactus-kubectl-"));
  cluster = await startLocalCluster({ dataDir: join(folder, "data"), images: { machine: "/" } });
  manifest = join(folder, "web.yaml");
  await writeFile(manifest, MANIFEST);
});
afterAll(async () => {
  await cluster[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

interface Result {
  code: number;
  stdout: string;
  stderr: string;
}

function settings(): { env: Record<string, string>; timeout: number } {
  const env = { KUBECONFIG: cluster.kubeconfigPath, HOME: folder, PATH: process.env["PATH"] ?? "" };
  return { env, timeout: 50_000 };
}

function run(...args: string[]): Promise<Result> {
  return new Promise((resolve) => {
    execFile("kubectl", args, settings(), (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === "number" ? error.code : error ? -1 : 0, stdout, stderr });
    });
  });
}

/** What a command says; that it works goes without saying. */
async function kubectl(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(...args);
  expect(code, `kubectl ${args.join(" ")}: ${stderr}`).toBe(0);
  return stdout;
}

/** A command that goes on until it is ended. */
function follow(...args: string[]): { lines: () => string[]; end: () => void } {
  const child: ChildProcessWithoutNullStreams = spawn("kubectl", args, { env: settings().env });
  let said = "";
  child.stdout.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  return { lines: () => said.split("\n").filter((line) => line !== ""), end: () => child.kill() };
}

/** Works on a namespace of its own, with the Service, StatefulSet and Ingress in it and ready. */
async function applyWeb(namespace: string): Promise<(...args: string[]) => Promise<string>> {
  await kubectl("create", "namespace", namespace);
  const inNamespace = (...args: string[]): Promise<string> => kubectl("-n", namespace, ...args);
  await inNamespace("apply", "-f", manifest);
  await inNamespace("rollout", "status", "statefulset/web", "--timeout=40s");
  return inNamespace;
}

test("api-resources, version, get nodes", async () => {
  const resources = await kubectl("api-resources");
  expect(resources).toMatch(/^pods +po +v1 +true +Pod$/m);
  expect(resources).toMatch(/^statefulsets +sts +apps\/v1 +true +StatefulSet$/m);
  expect(resources).toMatch(/^ingresses +ing +networking.k8s.io\/v1 +true +Ingress$/m);
  expect(await kubectl("version")).toMatch(/Server Version: v1\.36/);
  expect(await kubectl("get", "nodes")).toMatch(/^local +Ready /m);
  expect(await kubectl("get", "--raw", "/readyz")).toBe("ok");
});

test("apply creates, changes, finds nothing to do, and tries without doing", async () => {
  await kubectl("create", "namespace", "apply");
  const file = join(folder, "apply.yaml");
  const apply = (...args: string[]): Promise<string> => kubectl("-n", "apply", "apply", "-f", file, ...args);
  await writeFile(file, MANIFEST.replace("serviceName: web", "serviceName: web\n  replicas: 0"));
  expect(await apply("--dry-run=server")).toContain("statefulset.apps/web created (server dry run)");
  expect((await run("-n", "apply", "get", "statefulset", "web")).stderr).toContain("NotFound");
  expect(await apply()).toBe(
    "service/web created\nstatefulset.apps/web created\ningress.networking.k8s.io/web created\n",
  );
  expect(await apply()).toBe(
    "service/web unchanged\nstatefulset.apps/web unchanged\ningress.networking.k8s.io/web unchanged\n",
  );
  const changed = MANIFEST.replace("serviceName: web", "serviceName: web\n  replicas: 0")
    .replace("port: 80,", "port: 81,")
    .replace("- name: POD_IP", "- { name: MORE, value: x }\n            - name: POD_IP");
  await writeFile(file, changed);
  expect(await apply("--dry-run=server")).toContain("service/web configured (server dry run)");
  expect(await apply()).toBe(
    "service/web configured\nstatefulset.apps/web configured\ningress.networking.k8s.io/web unchanged\n",
  );
  expect(await kubectl("-n", "apply", "get", "service", "web", "-o", "jsonpath={.spec.ports[*].port}")).toBe("81");
  const env = "jsonpath={.spec.template.spec.containers[0].env[*].name}";
  expect(await kubectl("-n", "apply", "get", "statefulset", "web", "-o", env)).toBe("MORE POD_IP");
  await writeFile(file, MANIFEST.replace("serviceName: web", "serviceName: web\n  replicas: 0"));
  await apply();
  expect(await kubectl("-n", "apply", "get", "statefulset", "web", "-o", env)).toBe("POD_IP");
});

test("apply of a field that there is not, of a bad name and of a changed selector is refused in clear words", async () => {
  await kubectl("create", "namespace", "refused");
  const file = join(folder, "refused.yaml");
  const apply = (): Promise<Result> => run("-n", "refused", "apply", "-f", file);
  await writeFile(file, MANIFEST.replace("      containers:", "      kontainers: []\n      containers:"));
  expect((await apply()).stderr).toContain('strict decoding error: unknown field "spec.template.spec.kontainers"');
  await writeFile(file, "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: Bad_Name }\n");
  expect((await apply()).stderr).toMatch(/The ConfigMap "Bad_Name" is invalid: metadata.name: Invalid value/);
  await writeFile(file, MANIFEST.replace("serviceName: web", "serviceName: web\n  replicas: 0"));
  expect((await apply()).code).toBe(0);
  await writeFile(file, MANIFEST.replaceAll("app: web", "app: other"));
  expect((await apply()).stderr).toContain("updates to statefulset spec for fields other than");
});

test("create, get, patch in three ways, label, annotate, delete", async () => {
  await kubectl("create", "namespace", "objects");
  const inNamespace = (...args: string[]): Promise<string> => kubectl("-n", "objects", ...args);
  await inNamespace("create", "configmap", "settings", "--from-literal=a=b");
  await inNamespace("create", "secret", "generic", "hidden", "--from-literal=a=b");
  await inNamespace("create", "serviceaccount", "robot");
  const again = await run("-n", "objects", "create", "configmap", "settings");
  expect(again.stderr).toContain('configmaps "settings" already exists');
  await inNamespace("patch", "configmap", "settings", "-p", '{"data":{"strategic":"1"}}');
  await inNamespace("patch", "configmap", "settings", "--type=merge", "-p", '{"data":{"merge":"1"}}');
  await inNamespace(
    ...["patch", "configmap", "settings", "--type=json"],
    ...["-p", '[{"op":"add","path":"/data/json","value":"1"}]'],
  );
  await inNamespace("label", "configmap", "settings", "tier=one");
  await inNamespace("annotate", "configmap", "settings", "note=two");
  const stored = JSON.parse(await inNamespace("get", "configmap", "settings", "-o", "json"));
  expect(stored).toMatchObject({
    data: { a: "b", strategic: "1", merge: "1", json: "1" },
    metadata: { labels: { tier: "one" }, annotations: { note: "two" } },
  });
  expect(await inNamespace("get", "configmap", "-l", "tier=one")).toMatch(/^NAME +DATA +AGE\nsettings +4 +\d+s\n$/);
  expect(await inNamespace("get", "configmap", "-l", "tier=two")).toBe("");
  expect(await inNamespace("get", "secret", "hidden", "-o", "yaml")).toMatch(/^ {2}a: Yg==$/m);
  expect(await kubectl("get", "serviceaccounts", "-A")).toMatch(/^objects +robot /m);
  expect(await inNamespace("delete", "configmap", "settings")).toBe('configmap "settings" deleted\n');
  expect(await inNamespace("get", "configmap,secret", "-o", "name")).toBe("secret/hidden\n");
  expect(await kubectl("delete", "namespace", "objects")).toBe('namespace "objects" deleted\n');
  expect((await run("get", "namespace", "objects")).stderr).toContain('namespaces "objects" not found');
});

test("a workload is watched, waited for, described, scaled and deleted", async () => {
  const watch = follow("get", "pods", "-A", "-w", "--field-selector=metadata.namespace=work");
  const inNamespace = await applyWeb("work");
  await inNamespace("wait", "--for=condition=Ready", "pod/web-0", "--timeout=40s");
  await expect.poll(() => watch.lines().at(-1), { timeout: 20_000 }).toMatch(/^work +web-0 +1\/1 +Running +0 +\d+s/);
  expect(watch.lines()[0]).toMatch(/^NAMESPACE +NAME +READY +STATUS +RESTARTS +AGE$/);
  expect(watch.lines()[1]).toMatch(/ 0\/1 +Pending /);
  expect(await inNamespace("get", "all")).toMatch(
    /^pod\/web-0[\s\S]*^service\/web[\s\S]*^statefulset.apps\/web +1\/1 /m,
  );
  expect(await inNamespace("get", "ingress")).toMatch(/^web +<none> +web.example.com .* 80 /m);
  expect(await inNamespace("get", "endpointslices")).toMatch(/^web-\w+ +IPv4 +\d+ +127\./m);
  expect(await inNamespace("get", "pods", "-o", "wide")).toMatch(/^web-0 .* 127\.[\d.]+ +local/m);

  const pod = await inNamespace("describe", "pod", "web-0");
  expect(pod).toMatch(/^Controlled By: +StatefulSet\/web$/m);
  expect(pod).toMatch(/^ {2}Ready +True *$/m);
  expect(pod).toMatch(/Scheduled .*default-scheduler +Successfully assigned work\/web-0 to local$/m);
  const set = await inNamespace("describe", "statefulset", "web");
  expect(set).toMatch(/^Pods Status: +1 Running \/ 0 Waiting/m);
  expect(set).toMatch(/SuccessfulCreate .*Create Pod web-0 in StatefulSet web successful$/m);
  expect(await inNamespace("describe", "ingress", "web")).toMatch(
    /web.example.com *\n *\/ +web:http \(127\.[\d.]+:\d+\)/,
  );
  expect(await inNamespace("describe", "service", "web")).toMatch(/^Endpoints: +127\.[\d.]+:\d+$/m);

  await inNamespace("scale", "statefulset", "web", "--replicas=0");
  await inNamespace("wait", "--for=delete", "pod/web-0", "--timeout=40s");
  await expect.poll(() => watch.lines().some((line) => line.includes("Terminating"))).toBe(true);
  watch.end();
  expect(await inNamespace("get", "statefulset")).toMatch(/^web +0\/0 /m);
  await inNamespace("delete", "-f", manifest);
  expect((await run("-n", "work", "get", "statefulset,service,ingress,endpointslices", "-o", "name")).stdout).toBe("");
});

test("logs: whole, followed, and of the container before", async () => {
  const inNamespace = await applyWeb("logs");
  expect(await inNamespace("logs", "web-0")).toMatch(/^started\nasked for \/\n/);
  expect(await inNamespace("logs", "web-0", "--tail=1")).toMatch(/^asked for \/\n$/);
  const log = follow("-n", "logs", "logs", "-f", "web-0");
  await kubectl("get", "--raw", "/api/v1/namespaces/logs/services/web:http/proxy/from-outside");
  await expect.poll(() => log.lines(), { timeout: 20_000 }).toContain("asked for /from-outside");
  log.end();
  await run("get", "--raw", "/api/v1/namespaces/logs/pods/web-0/proxy/exit");
  const restarts = "jsonpath={.status.containerStatuses[0].restartCount}";
  await expect.poll(() => inNamespace("get", "pod", "web-0", "-o", restarts), { timeout: 20_000 }).toBe("1");
  expect(await inNamespace("logs", "web-0", "--previous")).toContain("asked for /from-outside");
  expect((await run("-n", "logs", "logs", "web-0", "-c", "none")).stderr).toContain("container none is not valid");
});

test("delete waits, in the background and in the foreground, and leaves what it is told to leave", async () => {
  const inNamespace = await applyWeb("deletes");
  const uid = (): Promise<string> => inNamespace("get", "pod", "web-0", "-o", "jsonpath={.metadata.uid}");
  const first = await uid();
  // Unwaited for: where the next Pod of that name is there within milliseconds, kubectl takes it for the one it deletes.
  expect(await inNamespace("delete", "pod", "web-0", "--wait=false")).toBe('pod "web-0" deleted\n');
  await expect.poll(() => uid().catch(() => first), { timeout: 20_000 }).not.toBe(first);
  await inNamespace("rollout", "status", "statefulset/web", "--timeout=40s");
  await inNamespace("delete", "statefulset", "web", "--cascade=orphan");
  expect(await inNamespace("get", "pods", "-o", "name")).toBe("pod/web-0\n");
  // The set is back, and its Pod is its own again.
  await inNamespace("apply", "-f", manifest);
  const owner = "jsonpath={.metadata.ownerReferences[0].kind}";
  await expect.poll(() => inNamespace("get", "pod", "web-0", "-o", owner), { timeout: 20_000 }).toBe("StatefulSet");
  await inNamespace("delete", "statefulset", "web", "--cascade=foreground");
  expect(await inNamespace("get", "pods", "-o", "name")).toBe("");
});
