import { OrchestratorError } from "@cactus/core";
import { TRPCError } from "@trpc/server";
import { type FastifyTRPCPluginOptions, fastifyTRPCPlugin } from "@trpc/server/adapters/fastify";
import { getHTTPStatusCodeFromError } from "@trpc/server/http";
import {
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  fastify,
  LogController,
} from "fastify";
import { appRouter } from "../app-router.ts";
import { toCallerError } from "../caller-error.ts";
import type { Deps } from "../deps.ts";
import { TRPC_CODES } from "../routes/trpc.ts";
import { addArtifactRoute } from "./artifact-route.ts";
import { addHealthRoutes } from "./health-routes.ts";
import { ServerConnections } from "./server-connections.ts";

/** Most that a request may carry, bytes: a certificate signing request and some words. */
const BODY_LIMIT = 256 * 1024;

/** What callers are told to wait when something does not answer now. */
const RETRY_SECONDS = 2;

export function buildServer(deps: Deps): FastifyInstance {
  const server = fastify({
    loggerInstance: deps.logger as FastifyBaseLogger,
    bodyLimit: BODY_LIMIT,
    logController: new LogController({ disableRequestLogging: true }),
    requestIdHeader: false,
    genReqId: () => crypto.randomUUID(),
    return503OnClosing: false,
    // Limits hooks, too: answers under way have a limit of their own.
    pluginTimeout: 0,
    // tRPC joins the names of batched procedures in the path.
    routerOptions: { maxParamLength: 5_000 },
  });
  const connections = new ServerConnections(server.server);
  server.addHook("preClose", async () => {
    deps.departure.begin();
    await connections.close();
  });
  server.addHook("onRequest", async (request, reply) => {
    reply.header("x-request-id", request.id);
  });
  server.addHook("onSend", async (_request, reply) => {
    if (deps.departure.isAnnounced) reply.header("connection", "close");
  });
  server.addHook("onResponse", async (request, reply) => {
    deps.metrics.httpRequests.inc({ route: request.routeOptions.url ?? "none", status: reply.statusCode });
  });
  server.setErrorHandler(answerError);
  server.setNotFoundHandler((_request, reply) =>
    reply.code(404).send({ reason: "not_found", message: "There is nothing here." }),
  );

  server.register(fastifyTRPCPlugin, {
    prefix: "/trpc",
    trpcOptions: {
      router: appRouter,
      createContext: ({ req }) => ({ ...deps, requestId: req.id, authorization: req.headers.authorization }),
      responseMeta: ({ errors }) => {
        const waits = errors.map(({ cause }) => retryAfter(cause)).filter((wait) => wait !== undefined);
        return waits.length > 0 ? { headers: { "retry-after": String(Math.max(...waits)) } } : {};
      },
      onError: ({ error, path, ctx }) => logError(deps, error, { path, requestId: ctx?.requestId }),
    },
  } satisfies FastifyTRPCPluginOptions<typeof appRouter>);
  addHealthRoutes(server, deps);
  addArtifactRoute(server, deps);
  return server;
}

/** Errors of plain HTTP routes, in the words and with the statuses that tRPC callers get. */
function answerError(error: FastifyError | Error, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const requestId = request.id;
  const known = toCallerError(error);
  if (known !== undefined) {
    const status = getHTTPStatusCodeFromError(new TRPCError({ code: TRPC_CODES[known.reason] }));
    const wait = retryAfter(known);
    if (wait !== undefined) reply.header("retry-after", wait);
    return reply.code(status).send({ reason: known.reason, message: known.message, requestId });
  }
  const status = "statusCode" in error ? (error.statusCode ?? 500) : 500;
  if (status < 500) return reply.code(status).send({ reason: "invalid_input", message: error.message, requestId });
  request.log.error({ err: error, requestId }, "a request failed");
  const message = `Something went wrong inside. The log has it under request id ${requestId}.`;
  return reply.code(status).send({ reason: "internal", message, requestId });
}

/** After how many seconds to try again what failed, if that may help. */
function retryAfter(error: unknown): number | undefined {
  if (!(error instanceof OrchestratorError)) return undefined;
  return error.retryAfterSeconds ?? (error.reason === "unavailable" ? RETRY_SECONDS : undefined);
}

function logError(
  deps: Pick<Deps, "logger">,
  error: TRPCError,
  where: { path: string | undefined; requestId: string | undefined },
): void {
  const isOurs = error.code === "INTERNAL_SERVER_ERROR" || error.code === "SERVICE_UNAVAILABLE";
  if (isOurs) deps.logger.error({ err: error.cause ?? error, ...where }, "a call failed");
  else deps.logger.debug({ code: error.code, message: error.message, ...where }, "a call was refused");
}
