export type { Kysely } from "kysely";
export { connect, type Database } from "./database.ts";
export { isDatabaseAway, isDatabaseFull } from "./database-away.ts";
export { migrateToLatest } from "./migrator.ts";
export { type ListenOptions, listen } from "./notifications.ts";
export {
  type AdmissionLimits,
  admitTeststacks,
  countQueue,
  QueueFullError,
  tellQueue,
} from "./queries/admission.ts";
export {
  deleteArtifactOfDeleted,
  findArtifact,
  type NewArtifact,
  readArtifact,
  storeArtifact,
} from "./queries/artifacts.ts";
export { createCertificate, findCertificate, findCertificateByKey, getCertificate } from "./queries/certificates.ts";
export { listEvents, RUN_EVENT_CHANNEL } from "./queries/events.ts";
export { ensureInstallation } from "./queries/installation.ts";
export { type Intention, writeIntention } from "./queries/intentions.ts";
export {
  extendRun,
  type LiveRun,
  listLiveRuns,
  noteContact,
  noteLoss,
  warnOfEnd,
} from "./queries/live-runs.ts";
export {
  createRun,
  findRun,
  getLastStatus,
  type ListedRun,
  listRuns,
  type RunRecord,
} from "./queries/runs.ts";
export { finishTask, leaseTask } from "./queries/tasks.ts";
export {
  commitTransition,
  countTeststacks,
  findRunOfTeststack,
  findTeststack,
  keepWake,
  LeaseLostError,
  leaseTeststack,
  listDueTeststacks,
  listTeststacks,
  RENEW_SECONDS,
  releaseTeststack,
  renewLease,
  TESTSTACK_CHANNEL,
  type Transition,
  wakeTeststack,
} from "./queries/teststacks.ts";
export { readTime } from "./queries/time.ts";
export { ensureUser, getUser } from "./queries/users.ts";
export type { AppUser } from "./schema/app-user.ts";
export type { Artifact } from "./schema/artifact.ts";
export type { ClientCertificate } from "./schema/client-certificate.ts";
export type { RunEvent } from "./schema/event.ts";
export type { Installation } from "./schema/installation.ts";
export type { Finaliser, Run, RunStatus } from "./schema/run.ts";
export type { Teststack, TeststackPhase } from "./schema/teststack.ts";
