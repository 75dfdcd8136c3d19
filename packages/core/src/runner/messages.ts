import { z } from "zod";

/**
 * The messages of cactus-runner that we use. It answers in camelCase; snake_case is read as well, since the JSON library
 * that it is made with changes its default in its next major version. Unknown keys are kept, missing ones tolerated.
 */
function message<TShape extends z.ZodRawShape>(shape: TShape) {
  return z.preprocess((value) => inCamelCase(value, shape), z.looseObject(shape));
}

/** Renames the keys that the shape knows; others (names of steps, say) are data and stay. */
function inCamelCase(value: unknown, shape: z.ZodRawShape): unknown {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, entry]) => {
      const camelCase = key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
      return [camelCase in shape ? camelCase : key, entry];
    }),
  );
}

const text = z
  .string()
  .nullish()
  .transform((value) => value ?? "");
const time = z
  .string()
  .nullish()
  .transform((value) => value ?? null);
const flag = z
  .boolean()
  .nullish()
  .transform((value) => value ?? null);

function listOf<TItem extends z.ZodType>(item: TItem) {
  return z
    .array(item)
    .nullish()
    .transform((value) => value ?? []);
}

const check = message({ success: flag, type: text, details: text });

const requestEntry = message({
  url: text,
  path: text,
  method: text,
  status: z
    .number()
    .nullish()
    .transform((value) => value ?? 0),
  timestamp: text,
  stepName: text,
  bodyXmlErrors: listOf(z.string()),
  requestId: z.number(),
});

const stepStatus = message({ startedAt: time, completedAt: time, eventStatus: time });

export const runnerStatusSchema = message({
  timestampStatus: text,
  timestampInitialise: time,
  timestampStart: time,
  timestampFinished: time,
  statusSummary: text,
  lastClientInteraction: message({ interactionType: text, timestamp: text })
    .nullish()
    .transform((value) => value ?? null),
  csipAusVersion: text,
  criteria: listOf(check),
  preconditionChecks: listOf(check),
  instructions: listOf(z.string()),
  testProcedureName: text,
  stepStatus: z
    .record(z.string(), stepStatus)
    .nullish()
    .transform((value) => value ?? {}),
  requestHistory: listOf(requestEntry),
  warnings: listOf(z.unknown()),
});

/** What a runner says of itself (`GET /status`). Times are ISO 8601 UTC. */
export type RunnerStatus = z.output<typeof runnerStatusSchema>;

export const initialiseAnswerSchema = message({ status: text, testProcedure: text, timestamp: text, isStarted: flag });
export const startAnswerSchema = message({ status: text, testProcedure: text, timestamp: text });
export const requestPairSchema = message({ requestId: z.number(), request: text, response: text });

export type RequestPair = z.output<typeof requestPairSchema>;

/** Body of `POST /initialise` and `POST /next-test`. */
export interface RunRequest {
  runId: string;
  procedureId: string;
  procedureYaml: string;
  runGroup: { id: string; name: string; csipAusVersion: string };
  certificate: { kind: "device" | "aggregator"; pem: string };
  subscriptionDomain: string | null;
  isStaticUrl: boolean;
  /** IANA Private Enterprise Number, 0 = none. */
  pen: number;
  user: { id: string; name: string };
}

/** The request as the runner wants it: snake_case, and both certificates named, one of them null. */
export function toRunRequestBody(request: RunRequest): object {
  const { kind, pem } = request.certificate;
  return {
    run_id: request.runId,
    test_definition: { test_procedure_id: request.procedureId, yaml_definition: request.procedureYaml },
    run_group: {
      run_group_id: request.runGroup.id,
      name: request.runGroup.name,
      csip_aus_version: request.runGroup.csipAusVersion,
      test_certificates: {
        aggregator: kind === "aggregator" ? pem : null,
        device: kind === "device" ? pem : null,
      },
    },
    test_config: {
      subscription_domain: request.subscriptionDomain,
      is_static_url: request.isStaticUrl,
      pen: request.pen,
    },
    test_user: { user_id: request.user.id, name: request.user.name },
  };
}
