import type { FastifyInstance } from "fastify";
import { sql } from "kysely";
import { describeCertificates } from "../certificate-reports.ts";
import type { Deps } from "../deps.ts";
import { within } from "../within.ts";

const CHECK_TIMEOUT_MS = 2_000;

type Check = () => Promise<unknown>;

/** `/healthz`: the process answers. `/readyz`: database and cluster answer too, and it is not about to leave; details in words do not count. `/metrics`: Prometheus text. */
export function addHealthRoutes(
  server: FastifyInstance,
  deps: Pick<Deps, "db" | "cluster" | "departure" | "metrics" | "logger" | "certificateReports" | "plans">,
): void {
  const { db, cluster, departure, metrics, logger, certificateReports, plans } = deps;
  const checks: Record<string, Check> = {
    database: () => sql`select 1`.execute(db),
    ...(cluster && { cluster: () => cluster.version() }),
  };
  const details: Record<string, () => string> = {
    ...(cluster && { certificates: () => describeCertificates(certificateReports()) }),
    ...(plans && { teststacks: () => plans.problems.join(" ") || "ok" }),
  };

  server.get("/healthz", async () => ({ status: "ok" }));

  server.get("/readyz", async (_request, reply) => {
    if (departure.isAnnounced) return reply.code(503).send({ status: "leaving" });
    const results = await Promise.all(
      Object.entries(checks).map(async ([name, check]) => {
        const error = await fails(check);
        if (error !== undefined) logger.warn({ err: error, check: name }, "not ready");
        return [name, error === undefined ? "ok" : "does not answer"] as const;
      }),
    );
    const ready = results.every(([, result]) => result === "ok");
    const told = Object.entries(details).map(([name, tell]) => [name, tell()]);
    return reply
      .code(ready ? 200 : 503)
      .send({ status: ready ? "ok" : "not ready", ...Object.fromEntries([...results, ...told]) });
  });

  server.get("/metrics", async (_request, reply) => {
    return reply.type(metrics.registry.contentType).send(await metrics.registry.metrics());
  });
}

async function fails(check: Check): Promise<unknown> {
  try {
    await within(CHECK_TIMEOUT_MS, check());
    return undefined;
  } catch (error) {
    return error;
  }
}
