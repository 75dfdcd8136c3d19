import type { UtilityServer } from "../utility-server/utility-server.ts";
import type { Client } from "./client-certificate.ts";
import { type Action, type Check, type Parameters, type Procedure, type StepDefinition, toList } from "./procedure.ts";

/** One line of the live request log, with the runner's own keys. */
export interface RequestEntry {
  readonly url: string;
  readonly path: string;
  readonly method: string;
  readonly status: number;
  readonly timestamp: Date;
  readonly stepName: string;
  readonly bodyXmlErrors: readonly string[];
  readonly requestId: number;
}

/** What may make a step happen: a client's request, or the word to proceed. */
export type Trigger =
  | { readonly method: string; readonly path: string; readonly isFirstPage: boolean; readonly isServed: boolean }
  | "proceed";

export interface CheckResult {
  readonly success: boolean;
  readonly type: string;
  readonly details: string;
}

export interface StepState {
  readonly definition: StepDefinition;
  startedAt?: Date;
  completedAt?: Date;
}

export interface TestRunOptions {
  readonly name: string;
  readonly csipAusVersion: string;
  readonly pen: number;
  readonly client: Client;
  readonly procedure: Procedure;
  readonly utilityServer: UtilityServer;
  readonly now: () => Date;
}

type ActionEffect = (run: TestRun, parameters: Parameters) => void;
/** Gives what is wrong, or "" where nothing is. */
type CheckRule = (run: TestRun, parameters: Parameters) => string;

const actionEffects = namedTable<ActionEffect>({
  "enable-steps": (run, { steps }) => run.enable(toList(steps)),
  "remove-steps": (run, { steps }) => run.complete(toList(steps)),
  "finish-test": (run) => run.finish(),
  "set-comms-rate": (run, parameters) => {
    run.utilityServer.rates = { ...run.utilityServer.rates, ...parameters };
  },
  "register-end-device": (run, parameters) => {
    // A device behind an aggregator is known by the LFDI that the procedure names, ended by the client's PEN.
    const named = String(parameters["aggregator_lfdi"] ?? "").toLowerCase();
    const isNamed = run.client.kind === "aggregator" && /^[0-9a-f]{40}$/.test(named);
    const lfdi = isNamed ? `${named.slice(0, 32)}${String(run.pen).padStart(8, "0")}` : run.client.lfdi;
    run.utilityServer.register(lfdi, run.client);
  },
});

const checkRules = namedTable<CheckRule>({
  "all-steps-complete": (run, parameters) => {
    const ignored = toList(parameters["ignored_steps"]);
    const open = run.steps.filter((step) => step.completedAt === undefined && !ignored.includes(step.definition.name));
    const names = open.map((step) => step.definition.name).join(", ");
    return open.length === 0 ? "" : `Steps ${names} have not been completed.`;
  },
  "end-device-contents": (run) =>
    run.utilityServer.devices.length === 0 ? "No EndDevice is currently registered." : "",
});

/** A test procedure under way: which steps are enabled and complete, and what the client has asked so far. */
export class TestRun {
  readonly name: string;
  readonly csipAusVersion: string;
  readonly pen: number;
  readonly client: Client;
  readonly procedure: Procedure;
  readonly utilityServer: UtilityServer;
  readonly steps: readonly StepState[];
  readonly requestHistory: RequestEntry[] = [];
  readonly initialisedAt: Date;
  startedAt: Date | undefined;
  finishedAt: Date | undefined;
  readonly #now: () => Date;

  constructor({ name, csipAusVersion, pen, client, procedure, utilityServer, now }: TestRunOptions) {
    this.name = name;
    this.csipAusVersion = csipAusVersion;
    this.pen = pen;
    this.client = client;
    this.procedure = procedure;
    this.utilityServer = utilityServer;
    this.steps = procedure.steps.map((definition) => ({ definition }));
    this.#now = now;
    this.initialisedAt = now();
  }

  get enabledSteps(): readonly StepState[] {
    return this.steps.filter((step) => step.startedAt !== undefined && step.completedAt === undefined);
  }

  /** Starts with the first step of the procedure. */
  start(): void {
    this.startedAt = this.#now();
    this.apply(this.procedure.startActions);
    this.enable(this.procedure.steps.slice(0, 1).map((step) => step.name));
  }

  /** Lets the first enabled step that the trigger fits happen, and gives its name. */
  trigger(trigger: Trigger): string | undefined {
    if (this.finishedAt !== undefined) return undefined;
    const fitting = this.enabledSteps.filter(({ definition }) => fits(definition.event, trigger));
    const step = fitting.find(({ definition }) =>
      this.check(definition.event.checks).every((result) => result.success),
    );
    if (step !== undefined) this.apply(step.definition.actions);
    return step?.definition.name;
  }

  apply(actions: readonly Action[]): void {
    for (const { type, parameters } of actions) actionEffects.get(type)?.(this, parameters);
  }

  check(checks: readonly Check[]): CheckResult[] {
    return checks.map(({ type, parameters }) => {
      const rule = checkRules.get(type);
      const details = rule === undefined ? `The simulator does not know the check ${type}.` : rule(this, parameters);
      return { success: details === "", type, details };
    });
  }

  enable(names: readonly unknown[]): void {
    for (const step of this.#findSteps(names)) if (step.completedAt === undefined) step.startedAt = this.#now();
  }

  complete(names: readonly unknown[]): void {
    for (const step of this.#findSteps(names)) step.completedAt ??= this.#now();
  }

  finish(): void {
    this.finishedAt ??= this.#now();
  }

  #findSteps(names: readonly unknown[]): StepState[] {
    return this.steps.filter((step) => names.includes(step.definition.name));
  }
}

/** Names a request that an event waits for, as in `GET /dcap`. */
export function findExpectedRequest({ type, parameters }: Action): string | null {
  const [, method] = /^([A-Z]+)-request-received$/.exec(type) ?? [];
  return method === undefined ? null : `${method} ${String(parameters["endpoint"] ?? "")}`;
}

function fits(event: Action, trigger: Trigger): boolean {
  if (trigger === "proceed") return event.type === "proceed";
  const [method, endpoint] = findExpectedRequest(event)?.split(" ") ?? [];
  const isServed = event.parameters["serve_request_first"] === true;
  return (
    method === trigger.method &&
    matchesEndpoint(trigger.path, endpoint ?? "") &&
    trigger.isFirstPage &&
    trigger.isServed === isServed
  );
}

/** An endpoint without `*` is compared as it is; a `*` stands for one segment. */
function matchesEndpoint(path: string, endpoint: string): boolean {
  if (!endpoint.includes("*")) return path === endpoint;
  const segments = path.split("/").filter((segment) => segment !== "");
  const expected = endpoint.split("/").filter((segment) => segment !== "");
  return segments.length === expected.length && expected.every((part, at) => part === "*" || part === segments[at]);
}

/** The names come from a YAML file, and some that an object has by itself would be among them. */
function namedTable<TEntry>(entries: Readonly<Record<string, TEntry>>): ReadonlyMap<string, TEntry> {
  return new Map(Object.entries(entries));
}
