import { missingFieldsText } from "../http/python-text.ts";

export interface Action {
  readonly type: string;
  readonly parameters: Parameters;
}
/** A check has the shape of an action: a type and its parameters. */
export type Check = Action;
export type Parameters = Readonly<Record<string, unknown>>;

export interface StepDefinition {
  readonly name: string;
  readonly event: Action & { readonly checks: readonly Check[] };
  readonly actions: readonly Action[];
  readonly instructions: readonly string[];
}

/** A test procedure, as far as the simulator acts on it. Types that it does not know are kept and never come true. */
export interface Procedure {
  readonly immediateStart: boolean;
  readonly initActions: readonly Action[];
  readonly startActions: readonly Action[];
  readonly preconditions: readonly Check[];
  readonly instructions: readonly string[] | null;
  readonly criteria: readonly Check[];
  readonly steps: readonly StepDefinition[];
}

const requiredKeys = {
  Description: "description",
  Category: "category",
  Classes: "classes",
  TargetVersions: "target_versions",
  Steps: "steps",
};

/**
 * Reads a procedure's YAML.
 *
 * @throws {Error} with the runner's text of the 400; what the YAML parser says in it is worded by another parser
 */
export async function parseProcedure(yaml: string): Promise<Procedure> {
  try {
    // Loaded with the first test: many simulators wait for theirs at once, and most of their start would be this import.
    const { parse } = await import("yaml");
    // PyYAML, which the runner reads with, follows YAML 1.1.
    return toProcedure(parse(yaml, { version: "1.1" }));
  } catch (error) {
    throw new Error(`Received invalid test procedure definition ${error instanceof Error ? error.message : error}`);
  }
}

function toProcedure(document: unknown): Procedure {
  const root = toRecord(document);
  if (root === undefined) throw new Error("Definition must be a TestProcedure instance");
  const keys = Object.entries(requiredKeys);
  const missing = keys.filter(([key]) => !(key in root)).map(([, name]) => name);
  if (missing.length > 0) {
    const provided = keys.filter(([key]) => key in root).map(([, name]) => name);
    throw new Error(missingFieldsText("TestProcedure", { provided, missing }, root));
  }
  const before = toRecord(root["Preconditions"]) ?? {};
  return {
    immediateStart: before["immediate_start"] === true,
    initActions: toActions(before["init_actions"]),
    startActions: toActions(before["actions"]),
    preconditions: toActions(before["checks"]),
    instructions: Array.isArray(before["instructions"]) ? before["instructions"].map(String) : null,
    criteria: toActions(toRecord(root["Criteria"])?.["checks"]),
    steps: Object.entries(toRecord(root["Steps"]) ?? {}).map(toStep),
  };
}

function toStep([name, value]: [string, unknown]): StepDefinition {
  const step = toRecord(value) ?? {};
  const event = toRecord(step["event"]) ?? {};
  return {
    name,
    event: { ...toAction(event), checks: toActions(event["checks"]) },
    actions: toActions(step["actions"]),
    instructions: toList(step["instructions"]).map(String),
  };
}

function toActions(value: unknown): Action[] {
  return toList(value).map((item) => toAction(toRecord(item) ?? {}));
}

function toAction(value: Readonly<Record<string, unknown>>): Action {
  return { type: String(value["type"] ?? ""), parameters: toRecord(value["parameters"]) ?? {} };
}

export function toList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function toRecord(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : undefined;
}
