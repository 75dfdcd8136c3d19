import { OrchestratorError } from "@cactus/core";
import { buildIngressNginxRoute, readHostSettings } from "@cactus/core/edge";
import { type Cluster, ensureObject, isNotFound, toClusterError } from "@cactus/core/kubernetes";
import {
  buildService,
  buildStatefulSet,
  checkTemplate,
  hashTemplate,
  readProxyPrefix,
  type Template,
  type TeststackInput,
} from "@cactus/core/teststack";
import type { Config } from "../../config.ts";
import type { StepContext } from "../step-context.ts";

/** StatefulSet first: it owns the others, so that nothing can be left behind. Three writes. */
export async function create({ deps, teststack, commit }: StepContext): Promise<void> {
  const { cluster, config } = deps;
  const [template, baseIngress] = await Promise.all([readTemplate(cluster, config), readBaseIngress(cluster, config)]);
  const input: TeststackInput = {
    installationId: deps.installation.id,
    teststackId: teststack.id,
    name: teststack.name,
    namespace: config.TEST_EXECUTION_NAMESPACE,
    template,
    appName: config.TEMPLATE_APP_NAME,
  };
  const hostSettings = readHostSettings(baseIngress, config.TEST_EXECUTION_FQDN);
  const ownerUid = await ensureObject(cluster, "StatefulSet", buildStatefulSet(input));
  const route = buildIngressNginxRoute({
    ...input,
    ownerUid,
    hostSettings,
    servicePort: config.TESTSTACK_SERVICE_PORT,
    proxyPrefix: readProxyPrefix(template),
    caSecretName: config.TLS_CA_CERTIFICATE_GENERIC_SECRET_NAME,
  });
  await Promise.all([
    ensureObject(cluster, "Service", buildService({ ...input, ownerUid })),
    ensureObject(cluster, "Ingress", route),
  ]);
  await commit({
    teststack: {
      phase: "created",
      owner_uid: ownerUid,
      template: config.TEMPLATE_STATEFULSET_NAME,
      template_hash: hashTemplate(template),
    },
    events: [
      { kind: "created", message: "Teststack created; waiting for its Pod.", detail: { teststack: teststack.name } },
    ],
  });
}

async function readTemplate(cluster: Cluster, config: Config): Promise<Template> {
  const namespace = config.TESTSTACK_TEMPLATES_NAMESPACE;
  const [statefulSet, service] = await Promise.all([
    read("StatefulSet", `${namespace}/${config.TEMPLATE_STATEFULSET_NAME}`, () =>
      cluster.apps.readNamespacedStatefulSet({ namespace, name: config.TEMPLATE_STATEFULSET_NAME }),
    ),
    read("Service", `${namespace}/${config.TEMPLATE_SERVICE_NAME}`, () =>
      cluster.core.readNamespacedService({ namespace, name: config.TEMPLATE_SERVICE_NAME }),
    ),
  ]);
  const template = { statefulSet, service };
  checkTemplate(template, { appName: config.TEMPLATE_APP_NAME, servicePort: config.TESTSTACK_SERVICE_PORT });
  return template;
}

function readBaseIngress(cluster: Cluster, config: Config) {
  const namespace = config.TEST_EXECUTION_NAMESPACE;
  const name = config.TEST_EXECUTION_INGRESS_NAME;
  return read("Ingress", `${namespace}/${name}`, () => cluster.networking.readNamespacedIngress({ namespace, name }));
}

async function read<TObject>(kind: string, name: string, call: () => Promise<TObject>): Promise<TObject> {
  try {
    return await call();
  } catch (error) {
    if (isNotFound(error))
      throw new OrchestratorError("unavailable", `${kind} ${name} does not exist.`, { cause: error });
    throw toClusterError(error, `read ${kind} ${name}`);
  }
}
