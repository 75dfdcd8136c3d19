import { expect, vi } from "vitest";
import type { RunView } from "../src/routes/run-view.ts";
import type { Site } from "./_site.ts";

const SETTLED = { timeout: 100_000, interval: 100 };

/** As a client would: again, while it is told to try again. */
export async function insist(site: Site, path: string, input: object): Promise<void> {
  await vi.waitFor(() => site.user.ask(path, input), SETTLED);
}

/** Waits, also while calls fail, until the run is as wanted. */
export function settled(site: Site, runId: string, wanted: (run: RunView) => boolean): Promise<RunView> {
  return vi.waitFor(async () => {
    const run = await site.user.get(runId);
    const story = (await site.user.story(runId)).map(({ kind, message }) => `${kind}: ${message}`);
    expect(wanted(run), `it is ${run.status}:\n${story.join("\n")}`).toBe(true);
    return run;
  }, SETTLED);
}

/** The run that has ended, each stage told once and in order. */
export async function gone(site: Site, runId: string): Promise<RunView> {
  const kinds = await vi.waitFor(async () => {
    const found = (await site.user.story(runId)).map(({ kind }) => kind);
    expect(found).toContain("gone");
    return found;
  }, SETTLED);
  expectStagesOnce(kinds);
  return settled(site, runId, ({ status }) => status === "finalised");
}

const STAGES = ["requested", "created", "ready", "routed", "initialised", "started", "collected", "finalised", "gone"];

/** What is told must be true: each stage once, in order. */
export function expectStagesOnce(kinds: string[]): void {
  const told = kinds.filter((kind) => STAGES.includes(kind));
  expect(told, "each stage once, in order").toEqual(STAGES.filter((stage) => told.includes(stage)));
}

/** A result that is not whole says so, and the runner's one answer had really been asked for. */
export function expectResult(run: RunView, cut: "maybe cut" | "whole"): void {
  if (cut === "maybe cut" && run.artifact?.kind === "partial") {
    expect(run.failure?.message).toBe("The runner answers finalize only once, and that answer was lost on its way.");
  } else expect(run).toMatchObject({ status: "finalised", failure: null, artifact: { kind: "complete" } });
}
