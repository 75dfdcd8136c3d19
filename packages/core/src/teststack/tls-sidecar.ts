import type { V1Container, V1OwnerReference, V1PodSpec, V1Secret, V1ServicePort } from "@kubernetes/client-node";
import { OrchestratorError } from "../errors.ts";
import { INTERNAL_CLIENTS, type InternalFiles } from "../pki/index.ts";
import { buildMetadata, type TeststackIdentity } from "./metadata.ts";
import type { Template } from "./template.ts";

/** What terminates TLS in an instance's Pod: an NGINX of this image. */
export interface TlsSidecar {
  image: string;
  /** Port of the Service, behind which the template has the runner. */
  servicePort: number;
}

/** Of the Pod; the only port that the network has to let through. */
export const TLS_PORT = 8443;
export const TLS_CONTAINER = "tls";
const VOLUME = "teststack-tls";
const FOLDER = "/etc/teststack-tls";
const CONFIGURATION = "nginx.conf";

/**
 * Adds the sidecar to a Pod: it starts with the other containers, and the Pod is ready when it listens.
 * It is the last of the init containers, so that none of those waits for it.
 */
export function addTlsSidecar(pod: V1PodSpec, { name, sidecar }: { name: string; sidecar: TlsSidecar }): V1PodSpec {
  return {
    ...pod,
    initContainers: [...(pod.initContainers ?? []), buildContainer(sidecar)],
    volumes: [...(pod.volumes ?? []), { name: VOLUME, secret: { secretName: name } }],
  };
}

function buildContainer({ image }: TlsSidecar): V1Container {
  return {
    name: TLS_CONTAINER,
    image,
    command: ["nginx", "-e", "stderr", "-c", `${FOLDER}/${CONFIGURATION}`],
    restartPolicy: "Always",
    ports: [{ name: "teststack-tls", containerPort: TLS_PORT }],
    readinessProbe: { tcpSocket: { port: TLS_PORT }, periodSeconds: 1 },
    resources: { requests: { cpu: "5m", memory: "16Mi" }, limits: { memory: "64Mi" } },
    securityContext: {
      allowPrivilegeEscalation: false,
      capabilities: { drop: ["ALL"] },
      readOnlyRootFilesystem: true,
      runAsNonRoot: true,
      runAsUser: 65532,
      runAsGroup: 65532,
      seccompProfile: { type: "RuntimeDefault" },
    },
    volumeMounts: [{ name: VOLUME, mountPath: FOLDER, readOnly: true }],
  };
}

/** Builds the one port of an encrypted instance's Service: the template's others would lead past the sidecar. */
export function buildTlsServicePort({ servicePort }: TlsSidecar): V1ServicePort {
  return { name: "https", port: servicePort, targetPort: TLS_PORT, protocol: "TCP" };
}

/**
 * Builds the Secret that the sidecar lives on: the instance's own certificate and key, what verifies clients, and how to
 * serve.
 *
 * @throws {OrchestratorError} `unavailable` when the template's Service leads to no port of a container
 */
export function buildTlsSecret(
  input: TeststackIdentity & {
    template: Template;
    sidecar: TlsSidecar;
    owner: V1OwnerReference;
    files: InternalFiles;
  },
): V1Secret {
  const { template, sidecar, owner, files } = input;
  const configuration = buildConfiguration(findRunnerPort(template, sidecar.servicePort));
  const entries = Object.entries({ ...files, [CONFIGURATION]: configuration });
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { ...buildMetadata(input), ownerReferences: [owner] },
    type: "kubernetes.io/tls",
    data: Object.fromEntries(entries.map(([file, text]) => [file, Buffer.from(text).toString("base64")])),
  };
}

/**
 * Finds the port of the Pod that the template's Service leads to.
 *
 * @throws {OrchestratorError} `unavailable` when it leads to none
 */
export function findRunnerPort({ service, statefulSet }: Template, servicePort: number): number {
  const found = service.spec?.ports?.find(({ port }) => port === servicePort);
  const target = found?.targetPort ?? servicePort;
  const containers = statefulSet.spec?.template.spec?.containers ?? [];
  const ports = containers.flatMap((container) => container.ports ?? []);
  const port = typeof target === "number" ? target : ports.find(({ name }) => name === target)?.containerPort;
  if (port !== undefined && port !== TLS_PORT) return port;
  const name = `${service.metadata?.namespace}/${service.metadata?.name}`;
  const why = port === undefined ? "leads to no port of a container" : "leads to the port that the TLS sidecar takes";
  throw new OrchestratorError(
    "unavailable",
    `The teststack template cannot be used: port ${servicePort} of Service ${name} ${why}.`,
  );
}

/**
 * Passes on what edge and orchestrator send, as it comes, and nobody else's, to the Pod's own address, where a Service would
 * have found the runner; that does not leave the Pod. Files are named beside this one; the root file system is read-only.
 * Debian's nginx has streams in a module of its own; where they are built in there is no such folder.
 */
function buildConfiguration(runnerPort: number): string {
  const runner = `$server_addr:${runnerPort}`;
  const clients = Object.values(INTERNAL_CLIENTS).map((name) => `    "CN=${name}" ${runner};`);
  return `daemon off;
worker_processes 1;
error_log stderr warn;
pid /dev/shm/nginx.pid;
include /etc/nginx/modules-enabled/*stream.conf;
events {}
stream {
  map $ssl_client_s_dn $runner {
${clients.join("\n")}
  }
  server {
    listen ${TLS_PORT} ssl;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_certificate tls.crt;
    ssl_certificate_key tls.key;
    ssl_client_certificate ca.crt;
    ssl_verify_client on;
    ssl_verify_depth 1;
    proxy_pass $runner;
    proxy_connect_timeout 5s;
    proxy_timeout 1h;
  }
}
`;
}
