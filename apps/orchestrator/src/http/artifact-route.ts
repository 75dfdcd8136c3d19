import { Readable } from "node:stream";
import { OrchestratorError } from "@cactus/core";
import { type Artifact, findArtifact, findRun, readArtifact } from "@cactus/db";
import type { FastifyInstance, FastifyReply } from "fastify";
import { z } from "zod";
import type { Deps } from "../deps.ts";
import { requirePermission } from "../routes/trpc.ts";
import { isValidArtifactLink } from "./artifact-link.ts";
import { parseByteRange } from "./byte-range.ts";

type ArtifactDeps = Pick<Deps, "db" | "resolveCaller" | "installation" | "now">;

const linkQuery = z.object({ expires: z.string(), signature: z.string() });

/**
 * `GET /runs/:runId/artifact`: streams a run's zip to its owner (bearer token) or to whoever has a signed link.
 * Ranges can be asked for; the ETag is the SHA-256, so that a broken download goes on where it ended.
 */
export function addArtifactRoute(server: FastifyInstance, deps: ArtifactDeps): void {
  server.get<{ Params: { runId: string } }>("/runs/:runId/artifact", async (request, reply) => {
    const { runId } = request.params;
    if (!z.uuid().safeParse(runId).success) throw noArtifact();
    await requireAccess(deps, { runId, query: request.query, authorization: request.headers.authorization });
    const artifact = await findArtifact(deps.db, runId);
    if (artifact === undefined) throw noArtifact();
    return sendArtifact(reply, deps, artifact, {
      range: request.headers.range,
      ifRange: request.headers["if-range"]?.toString(),
      ifNoneMatch: request.headers["if-none-match"],
    });
  });
}

/** @throws {OrchestratorError} `not_found` for another's run as for none */
async function requireAccess(
  deps: ArtifactDeps,
  input: { runId: string; query: unknown; authorization: string | undefined },
): Promise<void> {
  const link = linkQuery.safeParse(input.query);
  const key = deps.installation.link_key;
  let ownerId: string | undefined;
  if (link.success) {
    if (!isValidArtifactLink(link.data, { runId: input.runId, key, now: deps.now() })) {
      throw new OrchestratorError("forbidden", "The link has expired or was changed: get a new one.");
    }
  } else {
    const caller = await deps.resolveCaller(input.authorization);
    requirePermission(caller, ["user:all", "admin:all"]);
    ownerId = caller.permissions.has("admin:all") ? undefined : caller.userId;
  }
  if ((await findRun(deps.db, { runId: input.runId, ownerId })) === undefined) throw noArtifact();
}

function sendArtifact(
  reply: FastifyReply,
  deps: ArtifactDeps,
  artifact: Artifact,
  conditions: { range: string | undefined; ifRange: string | undefined; ifNoneMatch: string | undefined },
): FastifyReply {
  const size = Number(artifact.size);
  const etag = `"${artifact.sha256}"`;
  reply.headers({
    "accept-ranges": "bytes",
    "cache-control": "private, no-transform",
    "content-disposition": `attachment; filename="${artifact.file_name}"`,
    etag,
  });
  if (conditions.ifNoneMatch === etag) return reply.code(304).send();
  const mayRange = conditions.ifRange === undefined || conditions.ifRange === etag;
  const range = mayRange ? parseByteRange(conditions.range, size) : undefined;
  if (range === "unsatisfiable") return reply.code(416).header("content-range", `bytes */${size}`).send();
  const { start, end } = range ?? { start: 0, end: size - 1 };
  if (range !== undefined) reply.code(206).header("content-range", `bytes ${start}-${end}/${size}`);
  reply.headers({ "content-type": artifact.content_type, "content-length": end - start + 1 });
  return reply.send(
    Readable.from(readArtifact(deps.db, { artifactId: artifact.id, start, end }), { objectMode: false }),
  );
}

function noArtifact(): OrchestratorError {
  return new OrchestratorError("not_found", "There is no such artifact.");
}
