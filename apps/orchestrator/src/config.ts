import { z } from "zod";

/** Reads `true` and `false` as operators write them. */
const flag = z
  .enum(["true", "false", "1", "0"], "must be true or false")
  .transform((text) => text === "true" || text === "1");

const seconds = wholeNumber(1, 31_536_000);
const port = wholeNumber(1, 65_535);
const kubernetesName = z.string().regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/, "must be the name of a Kubernetes object");

/** Reads `ALL-03=7200,GEN-05=10800`. */
const secondsByProcedure = z
  .string()
  .regex(/^[A-Z0-9-]+=[1-9]\d{0,7}(,[A-Z0-9-]+=[1-9]\d{0,7})*$/, "must be as ALL-03=7200,GEN-05=10800")
  .transform((text) => new Map(text.split(",").map((pair) => [pair.split("=")[0] ?? "", Number(pair.split("=")[1])])));

function wholeNumber(min: number, max: number) {
  const message = `must be a whole number from ${min} to ${max}`;
  return z
    .string()
    .regex(/^\d+$/, message)
    .transform(Number)
    .refine((value) => value >= min && value <= max, message);
}

/**
 * Every environment variable, with its default and its meaning (the README's table says the same; a test compares them).
 * The first seventeen keep the names and defaults of the earlier orchestrator: operators have them in their deployments.
 */
const variables = {
  KUBERNETES_LOAD_CONFIG: flag
    .default(true)
    .describe("`false`: no cluster is used (testing only); what needs one answers `unavailable`"),
  TEST_ORCHESTRATION_NAMESPACE: kubernetesName
    .default("test-orchestration")
    .describe("namespace of the orchestrator and the UI; holds the signing CA"),
  ORCHESTRATOR_DATABASE_URL: z
    .string()
    .regex(/^postgres(ql)?(\+\w+)?:\/\//, "must be a postgresql:// URL")
    .describe("connection string; SQLAlchemy's `postgresql+asyncpg://` and the like are accepted"),
  TEST_EXECUTION_NAMESPACE: kubernetesName.default("test-execution").describe("namespace of live instances"),
  TEST_EXECUTION_INGRESS_NAME: kubernetesName
    .default("test-execution-ingress")
    .describe("the Ingress that holds the host's TLS and client verification"),
  TESTSTACK_SERVICE_PORT: port.default(80).describe("port of each instance's Service"),
  TESTSTACK_TEMPLATES_NAMESPACE: kubernetesName.default("teststack-templates").describe("namespace of the templates"),
  TEMPLATE_SERVICE_NAME: kubernetesName.default("envoy-svc").describe("template Service"),
  TEMPLATE_APP_NAME: kubernetesName.default("envoy").describe("main container of the template"),
  TEMPLATE_STATEFULSET_NAME: kubernetesName.default("envoy-set").describe("template StatefulSet"),
  TLS_CA_CERTIFICATE_GENERIC_SECRET_NAME: kubernetesName
    .default("tls-ca-certificate")
    .describe("Secret with the CA certificates that verify clients"),
  TLS_CA_TLS_SECRET_NAME: kubernetesName
    .default("tls-ca-cert-key-pair")
    .describe("TLS Secret with the CA certificate and key that sign client certificates"),
  TEST_EXECUTION_FQDN: z
    .string()
    .regex(/^[a-z0-9.-]+$/i, "must be a host name")
    .describe("public name of the instances"),
  IDLETEARDOWNTASK_ENABLE: flag.default(true).describe("idle teardown on or off"),
  IDLETEARDOWNTASK_MAX_LIFETIME_SECONDS: seconds.default(86_400).describe("longest life of an instance"),
  IDLETEARDOWNTASK_IDLE_TIMEOUT_SECONDS: seconds
    .default(3_600)
    .describe("idle after this long without a client interaction (at least twice the procedure's slowest poll)"),
  IDLETEARDOWNTASK_IDLE_TIMEOUT_SECONDS_BY_PROCEDURE: secondsByProcedure
    .default(new Map())
    .describe("another idle time for some procedures, as `ALL-03=7200,GEN-05=10800`"),
  RUN_EXTENSION_MAX_SECONDS: seconds.default(86_400).describe("how far beyond the longest life a run may be extended"),
  IDLETEARDOWNTASK_REPEAT_EVERY_SECONDS: seconds.default(120).describe("how often the sweep runs"),

  JWTAUTH_JWKS_URL: z
    .url({ protocol: /^(https?|file)$/, error: "must be an http(s):// or file:// URL" })
    .describe("public keys that check callers' tokens"),
  JWTAUTH_ISSUER: z.string().min(1).describe("`iss` that tokens must have"),
  JWTAUTH_AUDIENCE: z.string().min(1).describe("`aud` that tokens must have"),
  HTTP_HOST: z.string().default("0.0.0.0").describe("address to listen on"),
  HTTP_PORT: wholeNumber(0, 65_535).default(8080).describe("port to listen on; 0 takes a free one"),
  HTTP_LINGER_SECONDS: wholeNumber(0, 600)
    .default(0)
    .describe("when stopped: how long new requests are still answered, while `/readyz` already says 503"),
  KUBECONFIG: z
    .string()
    .optional()
    .describe("how the cluster is reached from outside; without it `~/.kube/config`, or a Pod's service account"),
  LOG_LEVEL: z
    .enum(["trace", "debug", "info", "warn", "error", "silent"])
    .default("info")
    .describe("least severe level that is logged"),
  TEST_PROCEDURES_DIRECTORY: z.string().min(1).describe("folder of the test procedures, `<id>.yaml` each"),
  TEST_EXECUTION_PORT: port.default(443).describe("port of the public address of the instances"),
  ORCHESTRATOR_INGRESS_NAME: kubernetesName
    .default("orchestrator")
    .describe("the Ingress of the API, whose certificate is watched and renewed"),
  EDGE_ADDRESS: z
    .string()
    .regex(/^[^:/\s]+:\d+$/, "must be host:port")
    .optional()
    .describe("where the orchestrator itself reaches the edge, when not by the public address"),
  TESTSTACK_SOURCE: z
    .enum(["template", "generated"])
    .default("template")
    .describe("what instances are made from: `template` clones the template, `generated` follows a `teststack.yaml`"),
  TESTSTACK_SPEC_CONFIGMAP_NAME: kubernetesName
    .default("teststack")
    .describe("ConfigMap with `teststack.yaml`, in the namespace of the templates"),
  TESTSTACK_WORKLOAD: z
    .enum(["statefulset", "pod"])
    .default("statefulset")
    .describe("what an instance is: a StatefulSet of one, or a Pod that nothing replaces"),
  TESTSTACK_ENCRYPTION: z
    .enum(["none", "sidecar"])
    .default("none")
    .describe("traffic between Pods: plain, or by mutual TLS with a `sidecar` in each instance"),
  TESTSTACK_ENCRYPTION_IMAGE: z
    .string()
    .min(1)
    .default("nginx:1.30.6-alpine")
    .describe("image of the sidecar: an NGINX with streams and TLS"),
  TESTSTACK_INTERNAL_CA_SECRET_NAME: kubernetesName
    .default("teststack-internal-ca")
    .describe("TLS Secret with the CA of the traffic between Pods, in the namespace of the orchestrator"),
  TESTSTACK_EDGE_CLIENT_SECRET_NAME: kubernetesName
    .default("teststack-edge-client")
    .describe("Secret with what the edge shows to encrypted instances, in the namespace of the instances"),
  EDGE_PROFILE: z
    .enum(["ingress-nginx", "f5"])
    .default("ingress-nginx")
    .describe("the Ingress controller: `ingress-nginx` (kubernetes/ingress-nginx) or `f5` (nginx/kubernetes-ingress)"),
  TESTSTACK_ACCESS: z
    .enum(["service", "proxy"])
    .default("service")
    .describe("how runners are reached: `service` inside the cluster, `proxy` through the API server from outside"),
  TESTSTACK_SPAWN_TIMEOUT_SECONDS: seconds.default(300).describe("longest time from a request to an initialised test"),
  TESTSTACK_COLLECT_TIMEOUT_SECONDS: seconds
    .default(300)
    .describe("longest wait for a runner's result before what there is is kept"),
  RUNNER_UNREACHABLE_TIMEOUT_SECONDS: seconds
    .default(600)
    .describe("a live runner that does not answer for this long is given up"),
  INSTANCES_MAX: wholeNumber(1, 100_000)
    .default(200)
    .describe("most instances at once; above that a run waits in the queue, fairly between users"),
  INSTANCES_MAX_PER_USER: wholeNumber(1, 100_000).default(50).describe("most of them that one user may have"),
  QUEUE_MAX: wholeNumber(0, 100_000)
    .default(1_000)
    .describe("most runs in the queue; above that `runs.create` answers `too_many_requests`"),
  QUEUE_MAX_PER_USER: wholeNumber(0, 100_000).default(200).describe("most of them that one user may have"),
  CALLS_PER_MINUTE_MAX_PER_USER: wholeNumber(1, 10_000_000)
    .default(3_000)
    .describe("most calls that a replica answers one user in a minute"),
  ORPHAN_GRACE_SECONDS: seconds.default(5).describe("objects without a teststack are collected when older than this"),
  ORPHAN_COLLECTION: z
    .enum(["delete", "report"])
    .default("delete")
    .describe("what is done with them: `report` only logs them (`admin.orphans` lists them either way)"),
};

const schema = z.object(variables).superRefine((config, { addIssue }) => {
  if (config.TESTSTACK_ENCRYPTION === "sidecar" && config.TESTSTACK_ACCESS === "proxy") {
    addIssue({
      code: "custom",
      path: ["TESTSTACK_ENCRYPTION"],
      message: "cannot be sidecar with TESTSTACK_ACCESS=proxy: the API server's proxy shows instances no certificate",
    });
  }
});

/** The configuration as it was read: by the names of the variables. */
export type Config = Readonly<z.output<typeof schema>>;

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads the configuration. An empty variable counts as not set.
 *
 * @throws {Error} one sentence per mistake, all of them at once, by the names of the variables
 */
export function parseConfig(environment: Environment): Config {
  const set = Object.fromEntries(
    Object.keys(variables).flatMap((name) => (environment[name] ? [[name, environment[name]]] : [])),
  );
  const parsed = schema.safeParse(set);
  if (parsed.success) return Object.freeze(parsed.data);
  const mistakes = parsed.error.issues.map(({ path, message }) => {
    const name = String(path[0]);
    return `${name} ${set[name] === undefined ? "must be set" : message}`;
  });
  throw new Error(`The configuration cannot be used:\n  ${mistakes.join("\n  ")}`);
}

/** Every variable with its default (as text; undefined: must be set or may be left out) and meaning, for documentation. */
export function describeConfig(): { name: string; default: string | undefined; meaning: string }[] {
  return Object.entries(variables).map(([name, variable]) => {
    const value = variable instanceof z.ZodDefault ? variable.def.defaultValue : undefined;
    const isPlain = value !== undefined && typeof value !== "object";
    return { name, default: isPlain ? String(value) : undefined, meaning: variable.description ?? "" };
  });
}
