import { existsSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import type { NodeAgentOptions } from "../src/node-agent/node-agent.ts";
import { IMAGE, NODE } from "./_agent-options.ts";
import { NAMESPACE } from "./_cluster.ts";
import { eventually } from "./_eventually.ts";
import { type AgentFixture, isReady, shell, startAgentFixture, statusOf } from "./_node-agent.ts";

let fixture: AgentFixture;
beforeEach(async () => {
  fixture = await startAgentFixture();
  return () => fixture[Symbol.asyncDispose]();
});

async function use(options: Partial<NodeAgentOptions>): Promise<void> {
  await fixture[Symbol.asyncDispose]();
  fixture = await startAgentFixture(options);
}

const config = (kind: "ConfigMap" | "Secret", name: string, data: Record<string, string>) =>
  fixture.cluster.create(`${kind.toLowerCase()}s`, {
    apiVersion: "v1",
    kind,
    metadata: { name, namespace: NAMESPACE },
    data:
      kind === "ConfigMap"
        ? data
        : Object.fromEntries(Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString("base64")])),
  });

test("registers its Node, and tells when it stops", async () => {
  const get = () =>
    fixture.cluster.get<{ status: { conditions: { type: string; status: string }[] } }>({
      resource: "nodes",
      namespace: "",
      name: NODE,
    });
  const ready = async () => (await get()).status.conditions.find(({ type }) => type === "Ready")?.status;
  expect((await get()).status).toMatchObject({
    capacity: { pods: "253", cpu: expect.stringMatching(/^\d+$/), memory: expect.stringMatching(/^\d+Ki$/) },
    addresses: [
      { type: "InternalIP", address: "127.0.0.1" },
      { type: "Hostname", address: NODE },
    ],
  });
  expect(await ready()).toBe("True");
  await fixture.agent[Symbol.asyncDispose]();
  expect(await ready()).toBe("False");
});

test("runs a Pod and tells all about it", async () => {
  const { metadata } = await fixture.createPod("a", { containers: [shell("c", "exec sleep 1000")] });
  const pod = await fixture.untilPod("a", isReady);
  const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  expect(pod.status).toMatchObject({
    phase: "Running",
    hostIP: "127.0.0.1",
    podIP: expect.stringMatching(/^127\.\d+\.\d+\.\d+$/),
    podIPs: [{ ip: pod.status?.podIP }],
    startTime: time,
    containerStatuses: [
      {
        name: "c",
        image: IMAGE,
        imageID: `local://${fixture.folder}`,
        containerID: expect.stringMatching(/^local:\/\//),
        ready: true,
        started: true,
        restartCount: 0,
        state: { running: { startedAt: time } },
        lastState: {},
      },
    ],
  });
  expect(pod.status?.conditions?.map(({ type, status }) => [type, status])).toEqual(
    ["Initialized", "Ready", "ContainersReady", "PodScheduled"].map((type) => [type, "True"]),
  );
  await eventually(async () => new Set(await fixture.events("a"))).toEqual(
    new Set([
      {
        type: "Normal",
        reason: "Pulled",
        message: `Container image "${IMAGE}" already present on machine`,
        count: 1,
      },
      { type: "Normal", reason: "Created", message: "Created container: c", count: 1 },
      { type: "Normal", reason: "Started", message: "Started container c", count: 1 },
    ]),
  );
  const { items } = await fixture.cluster.list<{ involvedObject: object }>("events", { namespace: NAMESPACE });
  expect(items[0]?.involvedObject).toMatchObject({
    kind: "Pod",
    name: "a",
    uid: metadata.uid,
    fieldPath: "spec.containers{c}",
  });
});

test("leaves Pods of other nodes and unbound Pods alone", async () => {
  await fixture.createPod("elsewhere", { nodeName: "other", containers: [shell("c", "exit 0")] });
  await fixture.createPod("ours", { containers: [shell("c", "exec sleep 1000")] });
  await fixture.untilPod("ours", isReady);
  expect((await fixture.getPod("elsewhere")).status?.containerStatuses).toBeUndefined();
});

test("gives a container the environment that its specification says, and nothing of the agent's", async () => {
  process.env["AGENT_SECRET"] = "leaked";
  await config("ConfigMap", "settings", { plain: "p", "dotted.name": "d" });
  await config("Secret", "keys", { token: "t" });
  const field = (name: string, fieldPath: string) => ({ name, valueFrom: { fieldRef: { fieldPath } } });
  const env = [
    { name: "OVER", value: "pod" },
    { name: "CHAINED", value: "$(OVER)-$(PRE_plain)-$(NONE)-$$(OVER)" },
    { name: "FROM_MAP", valueFrom: { configMapKeyRef: { name: "settings", key: "plain" } } },
    { name: "FROM_SECRET", valueFrom: { secretKeyRef: { name: "keys", key: "token" } } },
    { name: "NO_KEY", valueFrom: { secretKeyRef: { name: "keys", key: "none", optional: true } } },
    { name: "NO_MAP", valueFrom: { configMapKeyRef: { name: "none", key: "none", optional: true } } },
    field("NAME", "metadata.name"),
    field("UID", "metadata.uid"),
    field("LABEL", "metadata.labels['app.kubernetes.io/name']"),
    field("ANNOTATION", "metadata.annotations['none']"),
    field("NODE", "spec.nodeName"),
    field("IP", "status.podIP"),
    field("HOST", "status.hostIP"),
  ];
  const envFrom = [
    { prefix: "PRE_", configMapRef: { name: "settings" } },
    { secretRef: { name: "keys" } },
    { secretRef: { name: "none", optional: true } },
  ];
  const container = { name: "c", image: "app", command: ["env"], env, envFrom };
  const labels = { "app.kubernetes.io/name": "labelled" };
  const { metadata } = await fixture.createPod("a", { restartPolicy: "Never", containers: [container] }, { labels });
  const pod = await fixture.untilPod("a", ({ status }) => status?.phase === "Succeeded");
  const lines = (await fixture.readLog(pod, "c")).trim().split("\n");
  const seen = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
  );
  expect(seen).toMatchObject({
    ...{ FROM_IMAGE: "i", OVER: "pod", CHAINED: "pod-p-$(NONE)-$(OVER)", FROM_MAP: "p", FROM_SECRET: "t", token: "t" },
    ...{ PRE_plain: "p", "PRE_dotted.name": "d", NAME: "a", HOSTNAME: "a", UID: metadata.uid, LABEL: "labelled" },
    ...{ ANNOTATION: "", NODE, IP: pod.status?.podIP, HOST: "127.0.0.1" },
    PATH: expect.stringMatching(new RegExp(`^${process.execPath.replace(/\/node$/, "")}:`)),
  });
  for (const name of ["NO_KEY", "NO_MAP", "AGENT_SECRET", "HOME"]) expect(seen).not.toHaveProperty([name]);
  delete process.env["AGENT_SECRET"];
});

test("runs TypeScript by the Node that runs the agent, in the image's folder", async () => {
  const script = "const said: unknown[] = [process.version, process.argv[2], process.cwd()]; console.log(...said);";
  writeFileSync(join(fixture.folder, "main.ts"), script);
  await fixture.createPod("a", { restartPolicy: "Never", containers: [{ name: "c", image: "app" }] });
  const pod = await fixture.untilPod("a", ({ status }) => status?.phase === "Succeeded");
  expect(await fixture.readLog(pod, "c")).toBe(`${process.version} from-image ${fixture.folder}\n`);
});

test("mounts volumes as folders that variables name", async () => {
  await config("ConfigMap", "settings", { "a.yaml": "A", b: "B" });
  await config("Secret", "keys", { token: "t" });
  const volumes = [
    { name: "work", emptyDir: {} },
    { name: "settings", configMap: { name: "settings" } },
    { name: "items", configMap: { name: "settings", items: [{ key: "b", path: "deep/b.txt" }] } },
    { name: "keys", secret: { secretName: "keys", defaultMode: 0o400 } },
    { name: "none", secret: { secretName: "none", optional: true } },
  ];
  const volumeMounts = [
    { name: "work", mountPath: "/var/work-dir/" },
    { name: "work", mountPath: "/sub", subPath: "sub" },
    { name: "settings", mountPath: "/etc/procedures" },
    { name: "items", mountPath: "/items" },
    { name: "keys", mountPath: "/keys" },
    { name: "none", mountPath: "/none" },
  ];
  const script = `
    cat $MOUNT_ETC_PROCEDURES/a.yaml $MOUNT_ETC_PROCEDURES/b $MOUNT_ITEMS/deep/b.txt $1/token; ls $MOUNT_NONE $MOUNT_ITEMS
    echo kept >> $MOUNT_VAR_WORK_DIR/file; cat $MOUNT_VAR_WORK_DIR/file; echo $MOUNT_SUB; exit 1`;
  const args = ["sh", "$(MOUNT_KEYS)"];
  const { metadata } = await fixture.createPod("a", {
    volumes,
    containers: [shell("c", script, { args, volumeMounts })],
  });
  const twice = await fixture.untilPod(
    "a",
    (pod) => (statusOf(pod, "c")?.restartCount ?? 0) > 0 && statusOf(pod, "c")?.state?.running === undefined,
  );
  const folder = join(fixture.folder, "data/pods", metadata.uid ?? "");
  expect(statSync(join(folder, "volumes/keys/token")).mode & 0o777).toBe(0o400);
  expect(await fixture.readLog(twice, "c")).toMatch(
    new RegExp(`^ABBt.*:\ndeep\n.*:\nkept\nkept\n(kept\n)?${folder}/volumes/work/sub\n$`, "s"),
  );
  await fixture.cluster.delete({ resource: "pods", namespace: NAMESPACE, name: "a" });
  await eventually(() => existsSync(folder)).toBe(false);
});

test.each([
  [
    "a ConfigMap",
    { valueFrom: { configMapKeyRef: { name: "settings", key: "k" } } },
    'configmap "settings" not found',
    { other: "x" },
  ],
  [
    "a key of a ConfigMap",
    { valueFrom: { configMapKeyRef: { name: "settings", key: "k" } } },
    `couldn't find key k in ConfigMap ${NAMESPACE}/settings`,
    { k: "x" },
  ],
])("waits for %s that is missing", async (what, source, message, data) => {
  if (what.startsWith("a key")) await config("ConfigMap", "settings", { other: "x" });
  await fixture.createPod("a", { containers: [shell("c", "exec sleep 1000", { env: [{ name: "X", ...source }] })] });
  const reason = "CreateContainerConfigError";
  const waiting = await fixture.untilPod("a", (pod) => statusOf(pod, "c")?.state?.waiting?.reason === reason);
  expect(statusOf(waiting, "c")?.state).toEqual({ waiting: { reason, message } });
  expect(waiting.status?.phase).toBe("Pending");
  await eventually(() => fixture.events("a")).toContainEqual(
    expect.objectContaining({ type: "Warning", reason: "Failed", message: `Error: ${message}` }),
  );
  if (what.startsWith("a key")) {
    await fixture.cluster.patch({ resource: "configmaps", namespace: NAMESPACE, name: "settings" }, { data });
    await fixture.untilPod("a", isReady);
  }
});

test("waits for a volume that cannot be made, and says so", async () => {
  const volumes = [{ name: "keys", secret: { secretName: "keys" } }];
  await fixture.createPod("a", { volumes, containers: [shell("c", "exec sleep 1000")] });
  await eventually(() => fixture.events("a")).toContainEqual({
    type: "Warning",
    reason: "FailedMount",
    message: 'MountVolume.SetUp failed for volume "keys" : secret "keys" not found',
    count: 2,
  });
  const pod = await fixture.getPod("a");
  expect(pod.status?.phase).toBe("Pending");
  expect(statusOf(pod, "c")?.state).toEqual({ waiting: { reason: "ContainerCreating" } });
  await config("Secret", "keys", { token: "t" });
  await fixture.untilPod("a", isReady);
});

test("cannot pull an image that it does not have", async () => {
  await fixture.createPod("a", {
    containers: [
      { name: "c", image: "nope:1" },
      { name: "d", image: "no", imagePullPolicy: "Never" },
    ],
  });
  const pod = await fixture.untilPod("a", (pod) => statusOf(pod, "c")?.state?.waiting?.reason === "ErrImagePull");
  expect(statusOf(pod, "c")?.state?.waiting?.message).toContain(
    'failed to resolve reference "nope:1": nope:1: not found',
  );
  expect(statusOf(pod, "d")?.state?.waiting).toEqual({
    reason: "ErrImageNeverPull",
    message: 'Container image "no" is not present with pull policy of Never',
  });
  expect(pod.status?.phase).toBe("Pending");
  await fixture.untilPod("a", (pod) => statusOf(pod, "c")?.state?.waiting?.reason === "ImagePullBackOff");
  await eventually(async () =>
    (await fixture.events("a")).map(({ reason, message }) => `${reason}: ${message}`),
  ).toEqual(
    expect.arrayContaining([
      'Pulling: Pulling image "nope:1"',
      expect.stringContaining('Failed: Failed to pull image "nope:1": rpc error: code = NotFound'),
      "Failed: Error: ErrImagePull",
      'BackOff: Back-off pulling image "nope:1"',
      "Failed: Error: ImagePullBackOff",
      "Failed: Error: ErrImageNeverPull",
    ]),
  );
});

test.each([
  [["nope"], 'exec: "nope": executable file not found in $PATH'],
  [["/nope"], 'exec: "/nope": stat /nope: no such file or directory'],
])("a command that does not exist, %j, is a StartError", async (command, why) => {
  await fixture.createPod("once", { restartPolicy: "Never", containers: [{ name: "c", command }] });
  const pod = await fixture.untilPod("once", ({ status }) => status?.phase === "Failed");
  expect(statusOf(pod, "c")?.state?.terminated).toMatchObject({
    ...{ exitCode: 128, reason: "StartError", startedAt: "1970-01-01T00:00:00Z" },
    message: expect.stringContaining(why),
  });
  await fixture.createPod("again", { containers: [{ name: "c", command }] });
  const again = await fixture.untilPod(
    "again",
    (pod) => statusOf(pod, "c")?.state?.waiting?.reason === "CrashLoopBackOff",
  );
  expect(statusOf(again, "c")?.lastState?.terminated).toMatchObject({ exitCode: 128, reason: "StartError" });
});

test("openLog reads, follows to the end, keeps the instance before, and refuses what it cannot tell", async () => {
  const container = shell(
    "c",
    'echo one; echo two >&2; if [ ! -e "$MOUNT_W/go" ]; then touch $MOUNT_W/go; exit 3; fi; while [ ! -e "$MOUNT_W/end" ]; do sleep 0.05; done; echo last',
    {
      volumeMounts: [{ name: "w", mountPath: "/w" }],
    },
  );
  const { metadata } = await fixture.createPod("a", {
    restartPolicy: "OnFailure",
    volumes: [{ name: "w", emptyDir: {} }],
    containers: [container],
  });
  const pod = await fixture.untilPod("a", (pod) => statusOf(pod, "c")?.restartCount === 1 && isReady(pod));
  await eventually(() => fixture.readLog(pod, "c")).toBe("one\ntwo\n");
  expect(await fixture.readLog(pod, "c", { tailLines: 1 })).toBe("two\n");
  expect(await fixture.readLog(pod, "c", { limitBytes: 2 })).toBe("on");
  expect(await fixture.readLog(pod, "c", { previous: true })).toBe("one\ntwo\n");
  const followed = fixture.readLog(pod, "c", { follow: true });
  writeFileSync(join(fixture.folder, "data/pods", metadata.uid ?? "", "volumes/w/end"), "");
  expect(await followed).toBe("one\ntwo\nlast\n");
  const refused = { code: 400, reason: "BadRequest" };
  await expect(fixture.readLog(pod, "none")).rejects.toMatchObject({
    ...refused,
    message: "container none is not valid for pod a",
  });
  await expect(fixture.readLog(pod, "c", { timestamps: true })).rejects.toMatchObject(refused);
  await expect(fixture.readLog(pod, "c", { sinceSeconds: 1 })).rejects.toMatchObject(refused);
  const unstarted = await fixture.createPod("b", { containers: [{ name: "c", image: "nope" }] });
  const waiting = await fixture.untilPod("b", (pod) => statusOf(pod, "c")?.state?.waiting?.reason === "ErrImagePull");
  await expect(fixture.readLog(waiting, "c")).rejects.toThrow('container "c" in pod "b" is waiting to start: ');
  await expect(fixture.readLog(unstarted, "c", { previous: true })).rejects.toMatchObject(refused);
});

test("gives each container port a port of the machine where Pods have no addresses", async () => {
  await use({ podNetwork: "ports" });
  const server =
    "require('node:http').createServer((_, answer) => answer.end('hi')).listen(process.env.PORT_8080, process.env.IP)";
  const container = {
    name: "c",
    command: ["node", "-e", server],
    env: [{ name: "IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } }],
    ports: [{ name: "http", containerPort: 8080 }, { containerPort: 9000 }],
    readinessProbe: { httpGet: { port: "http" } },
  };
  for (const name of ["a", "b"]) await fixture.createPod(name, { containers: [container] });
  const pods = await Promise.all(["a", "b"].map((name) => fixture.untilPod(name, isReady)));
  const given = pods.map(({ metadata }) => JSON.parse(metadata.annotations?.["local-cluster/ports"] ?? "{}"));
  expect(given.map((ports) => Object.keys(ports))).toEqual([
    ["8080", "9000"],
    ["8080", "9000"],
  ]);
  expect(new Set(given.flatMap((ports) => Object.values(ports))).size).toBe(4);
  for (const [index, ports] of given.entries()) {
    expect(pods[index]?.status?.podIP).toBe("127.0.0.1");
    expect(await (await fetch(`http://127.0.0.1:${ports[8080]}`)).text()).toBe("hi");
  }
});
