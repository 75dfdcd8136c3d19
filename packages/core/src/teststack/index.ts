export { assessPod, type BoundPod, countRestarts } from "./assess-pod.ts";
export {
  buildOwner,
  buildOwnerReference,
  buildPod,
  buildService,
  type TeststackInput,
  type Workload,
} from "./build.ts";
export { buildLabels, buildSelector, TESTSTACK_LABEL } from "./labels.ts";
export { buildMetadata, type TeststackIdentity } from "./metadata.ts";
export { newTeststackName } from "./name.ts";
export { buildTeststackSpecSchema, parseTeststackSpec, type TeststackSpec, toTemplate } from "./spec/index.ts";
export { buildProxyPrefix, checkTemplate, hashTemplate, type Template } from "./template.ts";
export { buildTlsSecret, findRunnerPort, TLS_PORT, type TlsSidecar } from "./tls-sidecar.ts";
