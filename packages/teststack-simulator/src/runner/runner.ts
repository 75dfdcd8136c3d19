import { setTimeout as sleep } from "node:timers/promises";
import { type Answer, jsonAnswer, textAnswer, UnforeseenError } from "../http/answer.ts";
import { Archive } from "./archive.ts";
import { collectArtifacts } from "./artifacts.ts";
import { type Client, computeLfdi } from "./client-certificate.ts";
import { type Procedure, parseProcedure } from "./procedure.ts";
import { parseRunRequest, type RunRequest } from "./run-request.ts";
import { buildStatus, type Interaction } from "./runner-status.ts";
import type { Stack } from "./stack.ts";
import { TestRun, type Trigger } from "./test-run.ts";
import { toTimestamp } from "./timestamp.ts";

const csipAusVersions = ["v1.2", "v1.3-beta/storage", "v1.3"];
const shownMilliseconds = 15 * 60 * 1000;

/** The worker died in the middle of a call: nothing is answered, and all that it knew is gone. */
export class WorkerKilledError extends Error {
  override readonly name = "WorkerKilledError";
}

/** One worker process of the runner: its test, the client that it was initialised for, and its calls. */
export class Runner {
  readonly stack: Stack;
  #run: TestRun | undefined;
  #client: Client | undefined;
  #lastInteraction: Interaction;
  #archive: Archive | undefined;
  #finalizing: Promise<Archive> | undefined;

  constructor(stack: Stack) {
    this.stack = stack;
    this.#lastInteraction = { interactionType: "Runner Started", timestamp: stack.now() };
  }

  get run(): TestRun | undefined {
    return this.#run;
  }

  /** Ends with a finalize under way, which blocks every other call. */
  async waitUntilFree(): Promise<void> {
    await this.#finalizing?.catch(() => undefined);
  }

  async initialise(body: string): Promise<Answer> {
    const given = await readRequest(body);
    if ("status" in given) return given;
    if (this.#run !== undefined) {
      const text = `Test Procedure (${this.#run.name}) already active. Initialising another test procedure is not permitted.`;
      return textAnswer(409, text);
    }
    this.note("Test Procedure Initialised");
    this.stack.utilityServer.reset();
    const { aggregatorPem, devicePem } = given.request;
    const aggregator = aggregatorPem === null ? undefined : computeLfdi(aggregatorPem);
    const device = devicePem === null ? undefined : computeLfdi(devicePem);
    if (aggregator !== undefined && device !== undefined) {
      return textAnswer(400, "Cannot use 'aggregator_certificate' and 'device_certificate' at the same time.");
    }
    const lfdi = aggregator ?? device;
    if (lfdi === undefined) return textAnswer(400, "Need one of 'aggregator_certificate' or 'device_certificate'.");
    this.#client = { kind: aggregator === undefined ? "device" : "aggregator", lfdi };
    return this.#begin(given, this.#client);
  }

  /** Begins another test with the client and the devices of the one before. */
  async nextTest(body: string): Promise<Answer> {
    const given = await readRequest(body);
    if ("status" in given) return given;
    if (this.#run !== undefined) {
      const text = `Test Procedure (${this.#run.name}) still active. It must be finalized before advancing to the next test.`;
      return textAnswer(409, text);
    }
    if (this.#client === undefined) {
      return textAnswer(409, "Runner has not been initialised. A test procedure must be initialised before advancing.");
    }
    this.note("Test Procedure Initialised");
    return this.#begin(given, this.#client);
  }

  start(): Answer {
    const run = this.#run;
    if (run === undefined) {
      const text = "Unable to start non-existent test procedure. Try initialising a test procedure before continuing.";
      return textAnswer(409, text);
    }
    const failing = run.check(run.procedure.preconditions).find((check) => !check.success);
    if (failing !== undefined) {
      const text = `Unable to start test procedure, pre condition check has failed: ${failing.details}`;
      return textAnswer(412, text);
    }
    if (run.startedAt !== undefined) {
      const text = `Test Procedure (${run.name}) already in progress. Starting another test procedure is not permitted.`;
      return textAnswer(409, text);
    }
    this.note("Test Procedure Started");
    run.start();
    this.#keepIfFinished(run);
    return jsonAnswer(200, { status: "Test procedure started.", testProcedure: run.name, timestamp: this.#stamp() });
  }

  /** Ends the test and gives its archive, once; several calls at the same time get the same. */
  async finalize(): Promise<Answer | Archive> {
    if (this.#run === undefined) {
      return textAnswer(400, "ERROR: Unable to finalize test procedure. No test procedure in progress.");
    }
    this.#finalizing ??= this.#finish(this.#run).finally(() => {
      this.#finalizing = undefined;
    });
    return this.#finalizing;
  }

  status(): Answer {
    return jsonAnswer(200, this.#buildStatus(new Date(this.stack.now().getTime() - shownMilliseconds)));
  }

  proceed(): Answer {
    if (this.#run === undefined) return textAnswer(400, "'Proceed' signal ignored. No active test procedure.");
    if (this.#run.finishedAt !== undefined) {
      return textAnswer(410, "'Proceed' signal ignored. Test procedure has been finalised.");
    }
    return jsonAnswer(200, { handled: this.trigger(this.#run, "proceed") !== undefined });
  }

  /** Gives the name of the step that happened, if one did. */
  trigger(run: TestRun, trigger: Trigger): string | undefined {
    const step = run.trigger(trigger);
    this.#keepIfFinished(run);
    return step;
  }

  note(interactionType: Interaction["interactionType"], timestamp = this.stack.now()): void {
    this.#lastInteraction = { interactionType, timestamp };
    this.stack.logs.runner.write(timestamp, "cactus_runner", interactionType);
  }

  #begin({ request, procedure }: GivenTest, client: Client): Answer {
    const { procedureId: name, csipAusVersion, pen } = request;
    if (typeof procedure === "string") return textAnswer(400, procedure);
    if (!csipAusVersions.includes(csipAusVersion)) {
      return textAnswer(400, `'${csipAusVersion}' is not a valid CSIPAusVersion`);
    }
    const { faults, utilityServer, now } = this.stack;
    if (faults.initialiseFails === "500") throw new UnforeseenError("RuntimeError", "Failure preparing the database");
    this.#archive = undefined;
    this.#run = new TestRun({ name, csipAusVersion, pen, client, procedure, utilityServer, now });
    if (faults.initialiseFails === "412") {
      return textAnswer(412, "Failed to apply preconditions Failed executing action set-comms-rate");
    }
    this.#run.apply(procedure.initActions);
    const started = procedure.immediateStart ? this.start() : undefined;
    if (started !== undefined && started.status !== 200) {
      return textAnswer(started.status, `Unable to trigger immediate start: ${started.body}`);
    }
    const isStarted = started !== undefined;
    return jsonAnswer(201, {
      status: "Test procedure initialised.",
      testProcedure: name,
      timestamp: this.#stamp(),
      isStarted,
    });
  }

  async #finish(run: TestRun): Promise<Archive> {
    const { finalizeSeconds, finalizeLimitSeconds, finalizeKilled } = this.stack.faults;
    if (finalizeKilled) throw new WorkerKilledError();
    if (this.#archive === undefined) {
      await sleep(Math.min(finalizeSeconds, finalizeLimitSeconds) * 1000, undefined, { ref: false });
      if (finalizeSeconds > finalizeLimitSeconds) throw new WorkerKilledError();
    }
    const archive = this.#archive ?? this.#collect(run);
    this.#run = undefined;
    this.#archive = undefined;
    return archive;
  }

  /** A test that has finished by itself has its archive made at once, and only its download is left. */
  #keepIfFinished(run: TestRun): void {
    if (run.finishedAt !== undefined && this.#run === run) this.#archive ??= this.#collect(run);
  }

  #collect(run: TestRun): Archive {
    const { faults, now } = this.stack;
    const entries = faults.errorArchive
      ? [{ name: "errors.txt", content: "Exception generating zip: database is gone" }]
      : collectArtifacts(run, this.#buildStatus(), this.stack);
    const fillerMib = faults.errorArchive ? 0 : faults.archiveMib;
    return new Archive({ procedureName: run.name, createdAt: now(), entries, fillerMib });
  }

  #buildStatus(since?: Date): Readonly<Record<string, unknown>> {
    const { now, logs } = this.stack;
    const context = { now: now(), lastInteraction: this.#lastInteraction, envoyLog: String(logs.envoy), since };
    return buildStatus(this.#run, context);
  }

  #stamp(): string {
    return toTimestamp(this.stack.now());
  }
}

interface GivenTest {
  readonly request: RunRequest;
  /** The runner's complaint, where the YAML is no procedure. */
  readonly procedure: Procedure | string;
}

/** Reads all that must be waited for, so that what follows cannot interleave with another call. */
async function readRequest(body: string): Promise<GivenTest | Answer> {
  try {
    const request = parseRunRequest(body);
    return { request, procedure: await parseProcedure(request.yaml).catch(toMessage) };
  } catch (error) {
    return textAnswer(400, toMessage(error));
  }
}

function toMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
