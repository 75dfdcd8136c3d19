export { assessPod, type BoundPod, countRestarts } from "./assess-pod.ts";
export {
  buildMetadata,
  buildOwnerReference,
  buildService,
  buildStatefulSet,
  type TeststackIdentity,
  type TeststackInput,
} from "./build.ts";
export { buildLabels, buildSelector, TESTSTACK_LABEL } from "./labels.ts";
export { newTeststackName } from "./name.ts";
export { checkTemplate, hashTemplate, readProxyPrefix, type Template } from "./template.ts";
