import type { Cluster, ObjectWatch, PkiWatch } from "@cactus/core/kubernetes";
import type { RunnerClient } from "@cactus/core/runner";
import type { Database, Installation, Kysely, Teststack } from "@cactus/db";
import type { CallerResolver } from "./auth/caller.ts";
import type { AuthorityStore } from "./authority-store.ts";
import type { CertificateReports } from "./certificate-reports.ts";
import type { Config } from "./config.ts";
import type { Departure } from "./departure.ts";
import type { EdgeProbe } from "./edge-probe.ts";
import type { Logger } from "./log.ts";
import type { Metrics } from "./metrics.ts";
import type { ProcedureStore } from "./procedures.ts";
import type { RunFollowers } from "./run-followers.ts";
import type { StreamLimit } from "./stream-limit.ts";
import type { TeststackPlans } from "./teststack-plans.ts";

/** What routes, reconciler and tasks work with: built once, passed on, each taking what it names of it. */
export interface Deps {
  config: Config;
  logger: Logger;
  metrics: Metrics;
  now: () => Date;
  db: Kysely<Database>;
  installation: Installation;
  /** Under which this replica holds leases. */
  replicaId: string;
  departure: Departure;
  /** Undefined with `KUBERNETES_LOAD_CONFIG=false`. */
  cluster: Cluster | undefined;
  watch: ObjectWatch | undefined;
  pki: PkiWatch | undefined;
  plans: TeststackPlans | undefined;
  authority: AuthorityStore;
  certificateReports: CertificateReports;
  edgeProbe: EdgeProbe;
  procedures: ProcedureStore;
  resolveCaller: CallerResolver;
  followers: RunFollowers;
  streams: StreamLimit;
  /** The runner of a teststack, reached as that teststack was made. */
  runnerOf: (teststack: Pick<Teststack, "name" | "encryption">) => RunnerClient;
}
