import { parse } from "yaml";
import { z } from "zod";

const COMMS_RATES = [
  "dcap_poll_seconds",
  "edev_list_poll_seconds",
  "fsa_list_poll_seconds",
  "der_list_poll_seconds",
  "derp_list_poll_seconds",
  "mup_post_seconds",
] as const;

const action = z.looseObject({ type: z.string(), parameters: z.record(z.string(), z.unknown()).nullish() });
const actions = z.array(action).nullish();

const procedureSchema = z.looseObject({
  Description: z.string(),
  Category: z.string(),
  Classes: z.array(z.string()),
  TargetVersions: z.array(z.string()).min(1),
  Preconditions: z.looseObject({ immediate_start: z.boolean().nullish(), init_actions: actions, actions }).nullish(),
  Steps: z.record(z.string(), z.looseObject({ actions })),
});

/** A test procedure: what we read of its text, and the text itself, which is what the runner gets. */
export interface Procedure {
  id: string;
  description: string;
  category: string;
  classes: string[];
  /** CSIP-Aus versions, as `v1.2`. */
  targetVersions: string[];
  /** Initialising it starts it. */
  immediateStart: boolean;
  /** The slowest rate at which it has its client poll or post, seconds; undefined when it sets none. */
  longestPollSeconds: number | undefined;
  yaml: string;
}

const PROCEDURE_ID = /^[A-Z0-9]+(-[A-Z0-9]+)*$/;

/**
 * Reads a procedure's text.
 *
 * @throws {Error} a sentence that says what is wrong with it
 */
export function parseProcedure(id: string, yaml: string): Procedure {
  if (!PROCEDURE_ID.test(id)) throw new Error(`${id} is no procedure id: capitals and digits, joined by dashes`);
  const parsed = procedureSchema.safeParse(parse(yaml));
  if (!parsed.success) throw new Error(z.prettifyError(parsed.error));
  const { Description, Category, Classes, TargetVersions, Preconditions, Steps } = parsed.data;
  const allActions = [
    ...(Preconditions?.init_actions ?? []),
    ...(Preconditions?.actions ?? []),
    ...Object.values(Steps).flatMap((step) => step.actions ?? []),
  ];
  return {
    id,
    description: Description,
    category: Category,
    classes: Classes,
    targetVersions: TargetVersions,
    immediateStart: Preconditions?.immediate_start === true,
    longestPollSeconds: findLongestPoll(allActions),
    yaml,
  };
}

function findLongestPoll(allActions: z.output<typeof action>[]): number | undefined {
  const seconds = allActions
    .filter(({ type }) => type === "set-comms-rate")
    .flatMap(({ parameters }) => COMMS_RATES.map((rate) => parameters?.[rate]))
    .filter((value) => typeof value === "number");
  return seconds.length === 0 ? undefined : Math.max(...seconds);
}
