import { countTeststacks, type Database, type Kysely } from "@cactus/db";
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import { within } from "./within.ts";

/** A gauge that cannot be read in time is left out: the others are needed most when something does not answer. */
const READ_MS = 2_000;

/** What is counted. No label grows with the number of runs or users. */
export interface Metrics {
  registry: Registry;
  httpRequests: Counter<"route" | "status">;
  kubernetesRequests: Counter<"method">;
  databaseQueries: Counter;
  /** Seconds from one phase of a teststack to the next. */
  phaseSeconds: Histogram<"phase">;
  /** Seconds that runs waited for a place among the live ones. */
  queueSeconds: Histogram;
  stepFailures: Counter<"step">;
  runsEnded: Counter<"outcome">;
  routeRepairs: Counter;
  /** Seconds that a teststack which has news waits to be looked at. */
  reconcileLagSeconds: Histogram;
  sweepSeconds: Histogram;
  /** Names where gauges read their values from when they are asked for. */
  observe: (sources: GaugeSources) => void;
}

type GaugeSources = Record<keyof typeof GAUGES, () => number | Promise<number>>;

/** Gauges that are read from elsewhere, with what they tell. */
const GAUGES = {
  watchedTeststacks: ["cactus_watched_teststacks", "Teststacks with objects in the cluster"],
  watchAgeSeconds: [
    "cactus_watch_age_seconds",
    "Time since the Kubernetes API server was last heard of by the quietest watch",
  ],
  followers: ["cactus_followers", "Open event streams"],
  queueLength: ["cactus_reconcile_queue", "Teststacks with news that wait to be looked at"],
  queuedRuns: ["cactus_queued_runs", "Runs that wait for a place among the live ones"],
  orphans: ["cactus_orphans", "Objects in the cluster that belong to no teststack: admin.orphans lists them"],
  templateProblems: ["cactus_template_problems", "Why no teststack can be made, counted: /readyz tells it in words"],
} as const;

export function createMetrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  return {
    registry,
    httpRequests: new Counter({
      name: "cactus_http_requests_total",
      help: "HTTP requests answered",
      labelNames: ["route", "status"],
      registers,
    }),
    kubernetesRequests: new Counter({
      name: "cactus_kubernetes_requests_total",
      help: "Requests sent to the Kubernetes API server",
      labelNames: ["method"],
      registers,
    }),
    databaseQueries: new Counter({
      name: "cactus_database_queries_total",
      help: "Statements sent to PostgreSQL",
      registers,
    }),
    phaseSeconds: new Histogram({
      name: "cactus_teststack_phase_seconds",
      help: "Time that teststacks spent in a phase before they left it",
      labelNames: ["phase"],
      buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 180, 600],
      registers,
    }),
    queueSeconds: new Histogram({
      name: "cactus_queue_seconds",
      help: "Time that runs waited for a place among the live ones",
      buckets: [0.1, 1, 10, 60, 300, 900, 3_600, 14_400],
      registers,
    }),
    stepFailures: new Counter({
      name: "cactus_step_failures_total",
      help: "Attempts of a reconciler step that failed and will be repeated",
      labelNames: ["step"],
      registers,
    }),
    runsEnded: new Counter({
      name: "cactus_runs_ended_total",
      help: "Runs that ended, by outcome",
      labelNames: ["outcome"],
      registers,
    }),
    routeRepairs: new Counter({
      name: "cactus_route_repairs_total",
      help: "Times that a Service or Ingress which somebody else had deleted was made again",
      registers,
    }),
    reconcileLagSeconds: new Histogram({
      name: "cactus_reconcile_lag_seconds",
      help: "Time that a teststack with news waited to be looked at",
      buckets: [0.001, 0.01, 0.1, 0.5, 1, 5, 15, 60],
      registers,
    }),
    sweepSeconds: new Histogram({
      name: "cactus_sweep_seconds",
      help: "Time that it took to ask all live runners how their tests are doing",
      buckets: [0.1, 0.5, 1, 2.5, 5, 10, 30, 60],
      registers,
    }),
    observe: (sources) => addGauges(registry, sources),
  };
}

function addGauges(registry: Registry, sources: GaugeSources): void {
  for (const [source, [name, help]] of Object.entries(GAUGES)) {
    const read = sources[source as keyof typeof GAUGES];
    new Gauge({
      name,
      help,
      registers: [registry],
      async collect() {
        const value = await within(READ_MS, Promise.resolve(read())).catch(() => undefined);
        if (value === undefined) this.remove();
        else this.set(value);
      },
    });
  }
}

/** Adds a gauge of the teststacks by their phase, which is read from the database when it is asked for. */
export function measureTeststacks({ db, metrics }: { db: Kysely<Database>; metrics: Metrics }): void {
  new Gauge({
    name: "cactus_teststacks",
    help: "Teststacks that are not gone, by phase",
    labelNames: ["phase"],
    registers: [metrics.registry],
    async collect() {
      const counts = await within(READ_MS, countTeststacks(db)).catch(() => []);
      this.reset();
      for (const { phase, count } of counts) this.set({ phase }, count);
    },
  });
}
