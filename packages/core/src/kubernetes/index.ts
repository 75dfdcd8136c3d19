export { isConflict, isNotFound, retryAfterMs, statusOf, toClusterError } from "./api-errors.ts";
export { applyManifests, type Manifest } from "./apply.ts";
export { type BaseIngressWatch, watchBaseIngress } from "./base-ingress-watch.ts";
export { type Cluster, type ClusterOptions, connectCluster } from "./cluster.ts";
export { type ObjectWatch, type ObjectWatchOptions, type WatchedObject, watchObjects } from "./object-watch.ts";
export {
  deleteObject,
  ensureObject,
  findObjection,
  hasLivingPod,
  hasObject,
  type OwnedKind,
  type OwnedObject,
} from "./owned-objects.ts";
export { type BootstrapOptions, ensurePki } from "./pki-bootstrap.ts";
export { ensureInternalPki, type InternalPkiPlaces, placeInternalSecrets, readInternalPki } from "./pki-internal.ts";
export { beginRotation, finishRotation, type RotationOptions, type RotationOutcome } from "./pki-rotation.ts";
export {
  findIngress,
  findIngressTls,
  type IngressTls,
  type PkiPlaces,
  placeSecrets,
  readPki,
} from "./pki-secrets.ts";
export { renewServerCertificate, rotateServerCertificate, type ServerRenewalOptions } from "./pki-server.ts";
export { type PkiWatch, type PkiWatchOptions, watchPki } from "./pki-watch.ts";
export { type PodLogQuery, readPodLogEnd } from "./pod-log.ts";
export { type SecretWatch, type SecretWatchOptions, watchSecret } from "./secret-watch.ts";
export { type TemplateSource, type TemplateWatch, type TemplateWatchOptions, watchTemplate } from "./template-watch.ts";
