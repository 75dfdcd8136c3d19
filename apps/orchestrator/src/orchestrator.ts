import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { OrchestratorError } from "@cactus/core";
import {
  type Cluster,
  connectCluster,
  type ObjectWatch,
  type PkiWatch,
  watchObjects,
  watchPki,
} from "@cactus/core/kubernetes";
import {
  createRunnerClient,
  type RunnerAccess,
  viaEncryptedService,
  viaService,
  viaServiceProxy,
} from "@cactus/core/runner";
import { buildSelector } from "@cactus/core/teststack";
import { connect, countQueue, listen, RUN_EVENT_CHANNEL, TESTSTACK_CHANNEL, type Teststack } from "@cactus/db";
import type { FastifyInstance } from "fastify";
import { createCallerResolver } from "./auth/caller.ts";
import { createTokenVerifier } from "./auth/token-verifier.ts";
import { openAuthorityStore } from "./authority-store.ts";
import { measureCertificates, openCertificateReports } from "./certificate-reports.ts";
import { openClock } from "./clock.ts";
import type { Config } from "./config.ts";
import { Departure } from "./departure.ts";
import type { Deps } from "./deps.ts";
import { createEdgeProbe } from "./edge-probe.ts";
import { buildServer } from "./http/server.ts";
import { createLogger } from "./log.ts";
import { createMetrics, type Metrics, measureTeststacks } from "./metrics.ts";
import { findOrphans } from "./orphans.ts";
import { prepareDatabase } from "./prepare-database.ts";
import { openProcedures } from "./procedures.ts";
import { Reconciler } from "./reconcile/reconciler.ts";
import type { ReconcilerDeps } from "./reconcile/step-context.ts";
import { RunFollowers } from "./run-followers.ts";
import { StreamLimit } from "./stream-limit.ts";
import { createOrphanCollector } from "./tasks/collect-orphans.ts";
import { renewServers } from "./tasks/renew-server-certificate.ts";
import { startTasks, type Task } from "./tasks/scheduler.ts";
import { serveQueue } from "./tasks/serve-queue.ts";
import { sweepLiveRuns } from "./tasks/sweep-live-runs.ts";
import { warnOfCertificates } from "./tasks/warn-of-certificates.ts";
import { TeststackPlans } from "./teststack-plans.ts";

/** How often free places are given to those who wait. */
const SERVE_QUEUE_SECONDS = 1;
/** How often objects without a teststack are looked for. */
const COLLECT_ORPHANS_SECONDS = 2;
/** How often everything is listed anew, against watch events that were missed unnoticed. */
const RESYNC_SECONDS = 600;
/** How often it is looked whether the server's certificate wants to be renewed. */
const RENEW_SECONDS = 3_600;
/** How often certificates that expire soon are logged. */
const WARN_OF_CERTIFICATES_SECONDS = 86_400;

export interface Orchestrator extends AsyncDisposable {
  /** Where it listens. */
  readonly url: string;
}

/**
 * Starts one replica: migrates the database, which it waits for until `signal` is aborted, then serves and reconciles until
 * it is disposed, which lets go in the opposite order: no new request, no new step, leases given back. Requests and steps
 * under way are finished, within limits; until then others see that it is there.
 *
 * @throws {Error} when the database refuses or cannot be migrated, or the port is taken; `AbortError` when no longer wanted
 */
export async function startOrchestrator(
  config: Config,
  signal: AbortSignal = new AbortController().signal,
): Promise<Orchestrator> {
  await using starting = new AsyncDisposableStack();
  const deps = await createDeps(config, starting, signal);
  startReconciling(deps, starting);
  const server = buildServer(deps);
  starting.defer(() => leave(deps, server));
  const url = await server.listen({ host: config.HTTP_HOST, port: config.HTTP_PORT });
  deps.logger.info({ url, installation: deps.installation.id }, "listening");
  const stack = starting.move();
  return { url, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

async function createDeps(config: Config, stack: AsyncDisposableStack, signal: AbortSignal): Promise<Deps> {
  const logger = createLogger(config);
  const metrics = createMetrics();
  const url = config.ORCHESTRATOR_DATABASE_URL;
  const installation = await prepareDatabase({ url, logger, signal });
  const db = connect({
    url,
    onIdleError: (err) => logger.warn({ err }, "a connection to the database was lost"),
    onQuery: () => metrics.databaseQueries.inc(),
  });
  stack.defer(() => db.destroy());
  const { now } = stack.use(await openClock(db, logger));
  const cluster = config.KUBERNETES_LOAD_CONFIG ? stack.use(openCluster(config, metrics)) : undefined;
  const pki = cluster && stack.use(watchCertificates(cluster, { config, logger }));
  const authority = openAuthorityStore({ pki, config, now });
  const plans = cluster && stack.use(new TeststackPlans(cluster, { config, installation, logger, now }));
  return {
    config,
    logger,
    metrics,
    now,
    db,
    installation,
    replicaId: randomUUID(),
    departure: new Departure(),
    cluster,
    watch: cluster && stack.use(watchTeststacks(cluster, { config, logger, installation })),
    pki,
    plans,
    authority,
    certificateReports: openCertificateReports({ pki, plans, config, now }),
    edgeProbe: createEdgeProbe({ authority, config, now }),
    procedures: openProcedures(config.TEST_PROCEDURES_DIRECTORY, logger),
    resolveCaller: createCallerResolver({ db, config, verifyToken: createTokenVerifier(config) }),
    followers: new RunFollowers(),
    streams: new StreamLimit(),
    runnerOf: openRunners(config, { cluster, plans }, stack),
  };
}

function openCluster({ KUBECONFIG: kubeconfig }: Config, metrics: Metrics): Cluster {
  const onRequest = (method: string): void => metrics.kubernetesRequests.inc({ method });
  return connectCluster({ ...(kubeconfig && { kubeconfig }), onRequest });
}

function watchTeststacks(
  cluster: Cluster,
  { config, logger, installation }: Pick<Deps, "config" | "logger" | "installation">,
): ObjectWatch {
  return watchObjects(cluster, {
    namespace: config.TEST_EXECUTION_NAMESPACE,
    labelSelector: buildSelector(installation.id),
    onError: (err) => logger.warn({ err }, "watching the cluster was interrupted"),
  });
}

function watchCertificates(cluster: Cluster, { config, logger }: Pick<Deps, "config" | "logger">): PkiWatch {
  return watchPki(cluster, {
    namespaces: { orchestration: config.TEST_ORCHESTRATION_NAMESPACE, execution: config.TEST_EXECUTION_NAMESPACE },
    names: {
      caCertificateSecret: config.TLS_CA_CERTIFICATE_GENERIC_SECRET_NAME,
      caKeyPairSecret: config.TLS_CA_TLS_SECRET_NAME,
      baseIngress: config.TEST_EXECUTION_INGRESS_NAME,
      apiIngress: config.ORCHESTRATOR_INGRESS_NAME,
    },
    fqdn: config.TEST_EXECUTION_FQDN,
    onError: (err) => logger.warn({ err }, "watching the certificates was interrupted"),
  });
}

function openRunners(
  config: Config,
  { cluster, plans }: Pick<Deps, "cluster" | "plans">,
  stack: AsyncDisposableStack,
): Deps["runnerOf"] {
  const plain: RunnerAccess =
    config.TESTSTACK_ACCESS === "proxy" && cluster !== undefined ? viaServiceProxy(cluster) : stack.use(viaService());
  const encrypted = stack.use(
    viaEncryptedService(async () => {
      if (plans === undefined) throw new OrchestratorError("unavailable", "No cluster is configured.");
      return plans.tls.getCredentials();
    }),
  );
  const access: Record<Teststack["encryption"], RunnerAccess> = { none: plain, sidecar: encrypted };
  const namespace = config.TEST_EXECUTION_NAMESPACE;
  const port = config.TESTSTACK_SERVICE_PORT;
  return ({ name, encryption }) => createRunnerClient(access[encryption]({ namespace, serviceName: name, port }));
}

/** Says that it leaves, goes on for as long as others may take to hear of it, and closes when the last answer is given. */
async function leave({ departure, config, logger }: Deps, server: FastifyInstance): Promise<void> {
  departure.announce();
  logger.info("leaving");
  await sleep(config.HTTP_LINGER_SECONDS * 1000);
  await server.close();
}

/** Listens from before the first step until after the last: others see by it that this replica lives. */
function startReconciling(deps: Deps, stack: AsyncDisposableStack): void {
  const { cluster, watch, pki, plans } = deps;
  if (cluster === undefined || watch === undefined || pki === undefined || plans === undefined) {
    stack.use(listenForNews(deps, undefined));
    return;
  }
  const reconcilerDeps = { ...deps, cluster, watch, pki, plans };
  const reconciler = new Reconciler(reconcilerDeps);
  stack.use(listenForNews(deps, reconciler));
  stack.use(reconciler);
  watch.onChange = (teststackId) => reconciler.tell(teststackId);
  // Each replica has a watch of its own, so this is no task.
  const resync = setInterval(() => void watch.resync(), RESYNC_SECONDS * 1000);
  stack.defer(() => clearInterval(resync));
  observe(reconcilerDeps, reconciler);
  stack.use(startTasks(deps, listTasks(reconcilerDeps)));
}

function observe(deps: ReconcilerDeps, reconciler: Reconciler): void {
  const { metrics, watch } = deps;
  metrics.observe({
    watchedTeststacks: () => watch.teststackIds().length,
    watchAgeSeconds: () => (Date.now() - (watch.lastHeardAt?.getTime() ?? 0)) / 1000,
    followers: () => deps.followers.count,
    templateProblems: () => deps.plans.problems.length,
    queueLength: () => reconciler.queueLength,
    queuedRuns: () => countQueue(deps.db),
    orphans: async () => (await findOrphans(deps)).length,
  });
  measureTeststacks(deps);
  measureCertificates(deps);
}

function listTasks(deps: ReconcilerDeps & { pki: PkiWatch }): Task[] {
  const { config } = deps;
  return [
    {
      name: "idle-teardown",
      repeatEverySeconds: config.IDLETEARDOWNTASK_REPEAT_EVERY_SECONDS,
      run: () => sweepLiveRuns(deps),
    },
    { name: "serve-queue", repeatEverySeconds: SERVE_QUEUE_SECONDS, run: () => serveQueue(deps) },
    { name: "collect-orphans", repeatEverySeconds: COLLECT_ORPHANS_SECONDS, run: createOrphanCollector(deps) },
    { name: "renew-server-certificate", repeatEverySeconds: RENEW_SECONDS, run: () => renewServers(deps) },
    {
      name: "warn-of-certificates",
      repeatEverySeconds: WARN_OF_CERTIFICATES_SECONDS,
      run: () => warnOfCertificates(deps),
    },
  ];
}

/** What other replicas, and our own requests, have written: told by the database. */
function listenForNews(deps: Deps, reconciler: Reconciler | undefined): AsyncDisposable {
  const { config, followers, logger } = deps;
  return listen({
    url: config.ORCHESTRATOR_DATABASE_URL,
    channels: [RUN_EVENT_CHANNEL, TESTSTACK_CHANNEL],
    presence: deps.replicaId,
    onNotification: (channel, id) => (channel === RUN_EVENT_CHANNEL ? followers.tell(id) : reconciler?.wake(id)),
    onConnected: () => {
      followers.tellAll();
      void reconciler?.wakeDue();
    },
    onError: (err) => logger.warn({ err }, "the database's notifications are interrupted"),
  });
}
