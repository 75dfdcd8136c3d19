import { expect, test } from "vitest";
import { OrchestratorError } from "../../errors.ts";
import { parseTeststackSpec } from "./parse.ts";

/** Each line can be replaced by a mistake. */
const TEXT = `
apiVersion: cactus-orchestrator/v1
kind: Teststack
versions:
  v1.2: { images: { envoy: "registry.test:5000/envoy:1.5.0", runner: runner, db: "postgres:16" } }
  v1.3-beta/storage: { images: { envoy: envoy, runner: runner, db: "postgres:17" } }
runner: { container: cactus-runner, port: 8080 }
hrefContainers: [envoy]
labels: { tier: test }
annotations: { example.test/note: words }
nodeSelector: { disk: ssd }
tolerations: [{ key: test, operator: Exists }]
imagePullSecrets: [{ name: registry }]
terminationGracePeriodSeconds: 5
securityContext: { runAsUser: 1000 }
containers:
  - name: cactus-runner
    image: runner
    imagePullPolicy: IfNotPresent
    command: [run]
    args: [fast]
    workingDir: /srv
    env: [{ name: PASSWORD, value: hunter2 }]
    ports: [{ name: http, containerPort: 8080 }]
    readinessProbe: { httpGet: { path: /health, port: http } }
    livenessProbe: { exec: { command: [check] } }
    resources: { requests: { cpu: 0.5, memory: 64Mi }, limits: { memory: 1Gi } }
    volumeMounts: [{ name: data, mountPath: /data }]
  - { name: envoy, image: envoy, ports: [{ containerPort: 8000 }] }
sidecars:
  - { name: envoy-db, image: db, startupProbe: { tcpSocket: { port: 5432 }, periodSeconds: 1 } }
initContainers:
  - { name: migrate, image: envoy, env: [{ name: USER, valueFrom: { secretKeyRef: { name: db, key: user } } }] }
volumes:
  - { name: data, emptyDir: { medium: Memory, sizeLimit: 1Gi } }
  - { name: keys, secret: { secretName: keys, defaultMode: 0400 } }
  - { name: settings, configMap: { name: settings, items: [{ key: a.yaml, path: a.yaml }] } }
`;

/** The text with one place changed, which must be there. */
function change(from: string, to: string): string {
  expect(TEXT).toContain(from);
  return TEXT.replace(from, () => to);
}

/** What is wrong with the text, without the sentence around it. */
function mistakesOf(text: string): string {
  try {
    parseTeststackSpec(text);
  } catch (error) {
    if (!(error instanceof OrchestratorError)) throw error;
    expect(error.reason).toBe("unavailable");
    expect(error.message).not.toContain("hunter2");
    const [, mistakes] = /^The teststack\.yaml cannot be used: (.*)\.$/s.exec(error.message) ?? [];
    return mistakes ?? error.message;
  }
  return "none";
}

test("a spec is read whole, with defaults, quantities as text and file modes as kubectl reads them", () => {
  expect(parseTeststackSpec(TEXT)).toEqual({
    apiVersion: "cactus-orchestrator/v1",
    kind: "Teststack",
    versions: {
      "v1.2": { images: { envoy: "registry.test:5000/envoy:1.5.0", runner: "runner", db: "postgres:16" } },
      "v1.3-beta/storage": { images: { envoy: "envoy", runner: "runner", db: "postgres:17" } },
    },
    runner: { container: "cactus-runner", port: 8080, proxyPrefix: true },
    hrefContainers: ["envoy"],
    labels: { tier: "test" },
    annotations: { "example.test/note": "words" },
    nodeSelector: { disk: "ssd" },
    tolerations: [{ key: "test", operator: "Exists" }],
    imagePullSecrets: [{ name: "registry" }],
    terminationGracePeriodSeconds: 5,
    securityContext: { runAsUser: 1000 },
    containers: [
      {
        name: "cactus-runner",
        image: "runner",
        imagePullPolicy: "IfNotPresent",
        command: ["run"],
        args: ["fast"],
        workingDir: "/srv",
        env: [{ name: "PASSWORD", value: "hunter2" }],
        ports: [{ name: "http", containerPort: 8080 }],
        readinessProbe: { httpGet: { path: "/health", port: "http" } },
        livenessProbe: { exec: { command: ["check"] } },
        resources: { requests: { cpu: "0.5", memory: "64Mi" }, limits: { memory: "1Gi" } },
        volumeMounts: [{ name: "data", mountPath: "/data" }],
      },
      { name: "envoy", image: "envoy", ports: [{ containerPort: 8000 }] },
    ],
    sidecars: [{ name: "envoy-db", image: "db", startupProbe: { tcpSocket: { port: 5432 }, periodSeconds: 1 } }],
    initContainers: [
      {
        name: "migrate",
        image: "envoy",
        env: [{ name: "USER", valueFrom: { secretKeyRef: { name: "db", key: "user" } } }],
      },
    ],
    volumes: [
      { name: "data", emptyDir: { medium: "Memory", sizeLimit: "1Gi" } },
      { name: "keys", secret: { secretName: "keys", defaultMode: 0o400 } },
      { name: "settings", configMap: { name: "settings", items: [{ key: "a.yaml", path: "a.yaml" }] } },
    ],
  });
});

const LABEL = "must be lower-case letters, digits and dashes, beginning and ending with a letter or digit";
const REFERENCE =
  "must be an image reference: registry/name:tag or registry/name@sha256:digest, the name in lower case";
const QUANTITY = "must be a quantity: 250m, 1, 0.5, 64Mi, 2Gi";
const NO_FIELD = "there is no such field: remove or respell it";

test.each<[from: string, to: string, mistakes: string]>([
  ["kind: Teststack", "kind: Pod", "kind: must be Teststack"],
  [
    "  v1.2: {",
    "  1.2: {",
    'versions["1.2"]: must be a CSIP-Aus version as procedures name it, v1.2 or v1.3-beta/storage',
  ],
  ["envoy: envoy,", "envoy: Envoy,", `versions["v1.3-beta/storage"].images.envoy: ${REFERENCE}`],
  ["envoy: envoy,", 'envoy: "a b",', `versions["v1.3-beta/storage"].images.envoy: ${REFERENCE}`],
  ["envoy: envoy,", "envoy: 5,", 'versions["v1.3-beta/storage"].images.envoy: must be text: put it in quotes'],
  ["versions:", "version:", `versions: is missing: add it; version: ${NO_FIELD}`],
  ["runner: { container: cactus-runner, port: 8080 }", "runner: 8080", "runner: must be a map"],
  ["port: 8080 }", "port: http }", "runner.port: must be a whole number"],
  ["port: 8080 }", "port: 70000 }", "runner.port: must be at most 65535"],
  ["port: 8080 }", "port: 0 }", "runner.port: must be at least 1"],
  ["port: 8080 }", "port: 8080, proxyPrefix: never }", "runner.proxyPrefix: must be true or false"],
  ["hrefContainers: [envoy]", "hrefContainers: []", "hrefContainers: must not be empty"],
  ["hrefContainers: [envoy]", "hrefContainers: envoy", "hrefContainers: must be a list"],
  [
    "tier: test",
    "tier: a b",
    "labels.tier: must be letters, digits, dots, dashes and underscores, beginning and ending with a letter or digit",
  ],
  [
    "example.test/note",
    "/note",
    'annotations["/note"]: must be name or prefix/name, the name of at most 63 letters, digits, dots, dashes and underscores',
  ],
  ["disk: ssd", "disk: true", "nodeSelector.disk: must be text: put it in quotes"],
  ["operator: Exists", "operator: In", "tolerations[0].operator: must be Exists or Equal"],
  ["[{ name: registry }]", "[registry]", "imagePullSecrets[0]: must be a map"],
  ["Seconds: 5", "Seconds: 5s", "terminationGracePeriodSeconds: must be a whole number"],
  ["Seconds: 5", "Seconds: -5", "terminationGracePeriodSeconds: must be at least 0"],
  ["runAsUser: 1000", "privileged: true", `securityContext.privileged: ${NO_FIELD}`],
  ["- name: cactus-runner", "- name: Runner", `containers[0].name: ${LABEL}`],
  ["- name: cactus-runner", `- name: ${"a".repeat(64)}`, "containers[0].name: must have at most 63 characters"],
  [
    "imagePullPolicy: IfNot",
    "imagePullPolicy: Not",
    "containers[0].imagePullPolicy: must be Always or IfNotPresent or Never",
  ],
  ["command: [run]", "command: run", "containers[0].command: must be a list"],
  ["command: [run]", "comand: [run]", `containers[0].comand: ${NO_FIELD}`],
  ["args: [fast]", "args: [3]", "containers[0].args[0]: must be text: put it in quotes"],
  ["value: hunter2", "value: [hunter2]", "containers[0].env[0].value: must be text: put it in quotes"],
  ["value: hunter2", "value: 1", "containers[0].env[0].value: must be text: put it in quotes"],
  [
    "value: hunter2",
    "value:",
    "containers[0].env[0].value: is empty: give it a value ({} for a map of defaults), or remove it",
  ],
  ["[{ name: PASSWORD, value: hunter2 }]", "{ PASSWORD: hunter2 }", "containers[0].env: must be a list"],
  ["[{ name: PASSWORD, value: hunter2 }]", '["PASSWORD=hunter2"]', "containers[0].env[0]: must be a map"],
  [
    "value: hunter2",
    "valueFrom: {}",
    "containers[0].env[0].valueFrom: must have exactly one of fieldRef, configMapKeyRef, secretKeyRef",
  ],
  [
    "value: hunter2",
    "value: hunter2, valueFrom: { fieldRef: { fieldPath: status.podIP } }",
    "containers[0].env[0]: must have exactly one of value, valueFrom",
  ],
  [
    "name: PASSWORD,",
    "name: 1P,",
    "containers[0].env[0].name: must be letters, digits, dots, dashes and underscores, not beginning with a digit",
  ],
  [
    "name: http, c",
    "name: HTTP, c",
    "containers[0].ports[0].name: must be lower-case letters and digits, joined by single dashes, with at least one letter",
  ],
  ["name: http, c", "hostPort: 80, c", `containers[0].ports[0].hostPort: ${NO_FIELD}`],
  [
    "port: http }",
    "port: [http] }",
    "containers[0].readinessProbe.httpGet.port: must be a port number or the name of one of the container's ports",
  ],
  [
    "exec: { command: [check] }",
    "periodSeconds: 1",
    "containers[0].livenessProbe: must have exactly one of httpGet, tcpSocket, exec",
  ],
  ["cpu: 0.5", "cpu: half", `containers[0].resources.requests.cpu: ${QUANTITY}`],
  ["cpu: 0.5", "cpu: -1", `containers[0].resources.requests.cpu: ${QUANTITY}`],
  ["memory: 64Mi", "memory: 64MB", `containers[0].resources.requests.memory: ${QUANTITY}`],
  ["cpu: 0.5", "gpu: 1", `containers[0].resources.requests.gpu: ${NO_FIELD}`],
  [
    "mountPath: /data",
    "mountPath: data",
    "containers[0].volumeMounts[0].mountPath: must be an absolute path without a colon",
  ],
  ["image: db,", "", "sidecars[0].image: is missing: add it"],
  ["periodSeconds: 1", "periodSeconds: 0", "sidecars[0].startupProbe.periodSeconds: must be at least 1"],
  ["{ name: migrate,", "{ name: migrate, readinessProbe: {},", `initContainers[0].readinessProbe: ${NO_FIELD}`],
  ["{ name: migrate,", "{ name: migrate, restartPolicy: Always,", `initContainers[0].restartPolicy: ${NO_FIELD}`],
  ["medium: Memory", "medium: Disk", 'volumes[0].emptyDir.medium: must be "" or Memory'],
  ["emptyDir: {", "hostPath: { path: / }, emptyDir: {", `volumes[0].hostPath: ${NO_FIELD}`],
  [
    "emptyDir: {",
    "secret: { secretName: s }, emptyDir: {",
    "volumes[0]: must have exactly one of emptyDir, configMap, secret",
  ],
  [
    "defaultMode: 0400",
    "defaultMode: 644",
    "volumes[1].secret.defaultMode: must be at most 0777: write it with the leading zero",
  ],
  ["secretName: keys", "secretName: Keys", `volumes[1].secret.secretName: ${LABEL}; dots in between`],
  [
    "key: a.yaml",
    "key: a/b",
    "volumes[2].configMap.items[0].key: must be letters, digits, dots, dashes and underscores",
  ],
  [
    "volumes:",
    "volumes: *data\nx:",
    "its aliases (*name) must stand after their anchors (&name) and be few: write them out",
  ],
])("form: %s → %s", (from, to, mistakes) => {
  expect(mistakesOf(change(from, to))).toBe(mistakes);
});

test.each<[from: string, to: string, mistakes: string]>([
  [
    'runner: runner, db: "postgres:17"',
    'db: "postgres:17"',
    'containers[0].image: versions["v1.3-beta/storage"].images has no runner: add it',
  ],
  [
    "image: db,",
    "image: constructor,",
    'sidecars[0].image: versions["v1.2"].images has no constructor: add it; sidecars[0].image: versions["v1.3-beta/storage"].images has no constructor: add it',
  ],
  ["name: envoy-db", "name: envoy", "sidecars[0].name: envoy is taken by containers[1].name: choose another"],
  ["name: keys,", "name: data,", "volumes[1].name: data is taken by volumes[0].name: choose another"],
  [
    "{ containerPort: 8000 }",
    "{ name: http, containerPort: 8000 }",
    "containers[1].ports[0].name: http is taken by containers[0].ports[0].name: choose another",
  ],
  [
    "containerPort: 8000",
    "containerPort: 8080",
    "containers[1].ports[0].containerPort: 8080/TCP is taken by containers[0].ports[0].containerPort: choose another",
  ],
  [
    "[{ name: data, m",
    "[{ name: date, m",
    "containers[0].volumeMounts[0].name: there is no volume date: add it to volumes",
  ],
  [
    "name: PASSWORD,",
    "name: HREF_PREFIX,",
    "containers[0].env[0].name: remove HREF_PREFIX: hrefContainers says who gets it",
  ],
  [
    "name: PASSWORD,",
    "name: ENVOY_PROXY_PREFIX,",
    "containers[0].env[0].name: remove ENVOY_PROXY_PREFIX: the runner gets it unless runner.proxyPrefix is false",
  ],
  [
    "hunter2 }]",
    "hunter2 }, { name: PASSWORD, value: b }]",
    "containers[0].env[1].name: PASSWORD is taken by containers[0].env[0].name: choose another",
  ],
  [
    "port: http }",
    "port: web }",
    "containers[0].readinessProbe.httpGet.port: the container has no port named web: add it to its ports, or give the number",
  ],
  [
    "port: 5432 }",
    "port: db }",
    "sidecars[0].startupProbe.tcpSocket.port: the container has no port named db: add it to its ports, or give the number",
  ],
  [
    "container: cactus-runner",
    "container: migrate",
    "runner.container: there is no migrate among containers and sidecars: name one of them",
  ],
  ["port: 8080 }", "port: 8081 }", "runner.port: cactus-runner has no port 8081: add it to its ports"],
  [
    "hrefContainers: [envoy]",
    "hrefContainers: [envoy, taskiq]",
    "hrefContainers[1]: there is no taskiq among containers and sidecars: name one of them",
  ],
  [
    "hrefContainers: [envoy]",
    "hrefContainers: [envoy, envoy]",
    "hrefContainers[1]: envoy is taken by hrefContainers[0]: choose another",
  ],
  ["tier: test", "app: test", 'labels["app"]: the orchestrator sets this label itself: remove it'],
  [
    "tier: test",
    "cactus-orchestrator/teststack: t",
    'labels["cactus-orchestrator/teststack"]: the orchestrator sets this label itself: remove it',
  ],
])("contradiction: %s → %s", (from, to, mistakes) => {
  expect(mistakesOf(change(from, to))).toBe(mistakes);
});

test.each<[text: string, mistakes: string]>([
  ["", "it must be a map"],
  ["- a", "it must be a map"],
  ["hunter2", "it must be a map"],
  ["apiVersion: v1\nfoo: 1", "apiVersion: must be cactus-orchestrator/v1, the only known version"],
  ["kind: Teststack", "apiVersion: must be cactus-orchestrator/v1, the only known version"],
  ["a: b\n}hunter2", "line 2, column 1: Unexpected flow-map-end token in YAML stream"],
  ["a: |hunter2\n b", "line 1, column 5: Block scalar header includes extra characters"],
  ['a: "hunter2\nb: c', 'line 2, column 5: Missing closing "quote'],
  ['a: "\\uhunter2"', "line 1, column 5: There is no such escape in double quotes: use single ones"],
  ["a: !hunter2", "line 1, column 4: A tag (!name) means nothing here: put text in quotes"],
  ["a: !hunter2! b", "line 1, column 4: A tag (!name) means nothing here: put text in quotes"],
  [
    "%YAML 1.1\n---\na: !!binary aHVudGVyMg==",
    "line 3, column 4: A tag (!name) means nothing here: put text in quotes",
  ],
  ["a: 1\n\na: 2", "line 3, column 1: Map keys must be unique"],
  ["a: 1\n---\nb: 2", "line 2, column 1: A second document begins: keep one"],
  [`a: ${"[".repeat(60_000)}`, expect.stringMatching(/^line 1, column \d+: Nested too deeply$/)],
  [" ".repeat(1_048_576), "it must be at most 64 KiB long"],
])("YAML: mistake %#", (text, mistakes) => {
  expect(mistakesOf(text)).toEqual(mistakes);
});

test("aliases serve a few repetitions, and neither a bomb nor a circle", () => {
  const shared = change("value: hunter2 }]", "value: hunter2 }, &zone { name: TZ, value: UTC }]").replace(
    "- { name: envoy,",
    "- { name: envoy, env: [*zone],",
  );
  expect(parseTeststackSpec(shared).containers[1]?.env).toEqual([{ name: "TZ", value: "UTC" }]);
  const tenfold = (level: number) =>
    `l${level}: &l${level} [${Array(10)
      .fill(`*l${level - 1}`)
      .join(", ")}]`;
  const bomb = ["l0: &l0 [x]", ...Array.from({ length: 9 }, (_, index) => tenfold(index + 1))].join("\n");
  expect(mistakesOf(bomb)).toBe(
    "its aliases (*name) must stand after their anchors (&name) and be few: write them out",
  );
  expect(mistakesOf(change("containers:\n", "containers: &all\n  - *all\n"))).toBe("containers[0]: must be a map");
});

test("of many mistakes the first ten are told, and how many more there are", () => {
  const many = Array.from({ length: 13 }, (_, index) => `x${index}: 1\n`).join("");
  const told = mistakesOf(TEXT + many).split("; ");
  expect(told).toEqual([...Array.from({ length: 10 }, (_, index) => `x${index}: ${NO_FIELD}`), "and 3 more"]);
});

test("any field may hold anything: it is refused in words, and nothing of it is shown", () => {
  const fields = TEXT.split("\n").flatMap((line) => /^ *(?:- )?(\w+): (?=\S)/.exec(line)?.[0] ?? []);
  expect(fields.length).toBeGreaterThan(20);
  for (const field of fields) {
    for (const garbage of [
      "!!binary aHVudGVyMg==",
      "!!timestamp 2001-12-14",
      "!!set { x }",
      "[[hunter2]]",
      "{ a b: hunter2 }",
      ".nan",
      "~",
    ]) {
      const told = mistakesOf(TEXT.replace(new RegExp(`^${field}.*`, "m"), `${field}${garbage}`));
      expect(told, `${field}${garbage}`).toMatch(/: (?:must|is|there|A tag)|^it must/);
      expect(told).not.toMatch(/Invalid|undefined|\[object/);
    }
  }
});
