import type { PodLoss, RunnerLoss, RunSituation, Situation } from "./situation.ts";

/** The one thing to do next for a teststack. Every step may be done again without harm. */
export type Step =
  /** StatefulSet, Service and Ingress. */
  | { do: "create" }
  /** What was deleted by another's hand, and is not the Pod: make it again. */
  | { do: "repair" }
  | { do: "check-health" }
  | { do: "prove-route" }
  | { do: "initialise" }
  | { do: "start" }
  /** The run has failed: say so, and keep the evidence. */
  | { do: "fail"; reason: FailureReason; message: string }
  /** The run is over: fetch its result. */
  | { do: "end" }
  /** Fetch the result: whole where the runner gives it; what there is (logs, events, last status) where it cannot any more. */
  | { do: "collect"; ifSilent: "retry" | "keep-what-there-is" }
  /** The result is stored, or there is none: write the run's outcome. */
  | { do: "settle" }
  | { do: "delete" }
  /** Nothing is left: write it down. */
  | { do: "confirm-gone" }
  /** Nothing until an event, or until this time. */
  | { do: "wait"; until: Date | undefined };

export type FailureReason = PodLoss | RunnerLoss | "spawn_timeout";

/** Decides the next step. Pure: the same situation gives the same step. */
export function nextStep(situation: Situation): Step {
  const { phase } = situation.teststack;
  switch (phase) {
    case "requested":
    case "created":
    case "ready":
    case "routed":
      return stepOnTheWayIn(situation);
    case "live":
      return stepWhileLive(situation);
    case "collecting":
      return stepWhileCollecting(situation);
    case "deleting":
      return stepWhileDeleting(situation);
    case "gone":
      return { do: "wait", until: undefined };
  }
}

function stepOnTheWayIn(situation: Situation): Step {
  const { pod, run, teststack } = situation;
  if (run === undefined || isOver(run)) return { do: "end" };
  if (teststack.admittedAt === undefined) return { do: "wait", until: undefined };
  const deadline = after(teststack.admittedAt, situation.limits.spawnTimeoutSeconds);
  if (situation.now >= deadline) return { do: "fail", reason: "spawn_timeout", message: describeTimeout(situation) };
  if (teststack.phase === "requested") return { do: "create" };
  if (pod.state === "lost") return { do: "fail", reason: pod.reason, message: pod.message };
  if (pod.state === "absent" && !teststack.replacesPod) return stepWithoutPod(situation, deadline);
  if (pod.state !== "ready") return { do: "wait", until: deadline };
  if (teststack.phase === "created") return { do: "check-health" };
  if (situation.objects === "incomplete") return { do: "repair" };
  if (teststack.phase === "ready") return { do: "prove-route" };
  return { do: "initialise" };
}

/** How long a Pod that was created may stay unseen before it counts as deleted: news of it may be on their way. */
const POD_NEWS_SECONDS = 5;

function stepWithoutPod({ now, teststack }: Situation, deadline: Date): Step {
  const overdue = after(teststack.phaseSince, POD_NEWS_SECONDS);
  if (now < overdue) return { do: "wait", until: overdue < deadline ? overdue : deadline };
  return { do: "fail", reason: "pod_deleted", message: "The teststack's Pod was deleted before it was ready." };
}

function stepWhileLive({ pod, run, objects }: Situation): Step {
  if (run === undefined || isOver(run)) return { do: "end" };
  if (pod.state === "lost") return { do: "fail", reason: pod.reason, message: pod.message };
  if (run.loss !== undefined) return { do: "fail", reason: run.loss, message: LOSS_MESSAGES[run.loss] };
  if (objects === "incomplete") return { do: "repair" };
  if (run.status === "initialised" && run.startRequested) return { do: "start" };
  return { do: "wait", until: undefined };
}

const LOSS_MESSAGES: Record<RunnerLoss, string> = {
  runner_restarted: "The runner restarted inside its container and has forgotten the test.",
  runner_unreachable: "The runner has not answered for too long.",
};

function stepWhileCollecting({ now, run, pod, teststack, limits }: Situation): Step {
  if (run === undefined || run.deleted || run.hasArtifact) return { do: "settle" };
  const mayHaveLeftSomething = run.initialiseCalled || run.status === "failed";
  if (!mayHaveLeftSomething) return { do: "settle" };
  const hopeless = pod.state === "lost" || pod.state === "absent";
  const tooLate = now >= after(teststack.phaseSince, limits.collectTimeoutSeconds);
  return { do: "collect", ifSilent: hopeless || tooLate ? "keep-what-there-is" : "retry" };
}

/** When to look again at objects that are on their way out, in case the news of their end is lost. */
const DELETION_CHECK_SECONDS = 10;

function stepWhileDeleting({ now, objects }: Situation): Step {
  if (objects === "some" || objects === "incomplete") return { do: "delete" };
  if (objects === "none") return { do: "confirm-gone" };
  return { do: "wait", until: after(now, DELETION_CHECK_SECONDS) };
}

/** Nobody wants the run to go on (any more). */
function isOver(run: RunSituation): boolean {
  return run.deleted || run.finaliseRequested || run.status === "failed";
}

function describeTimeout({ teststack, pod, limits }: Situation): string {
  const limit = `within ${limits.spawnTimeoutSeconds} s`;
  if (teststack.phase === "requested") return `The teststack could not be created ${limit}.`;
  if (teststack.phase === "ready") return `The teststack could not be reached through its public address ${limit}.`;
  if (teststack.phase === "routed") return `The runner did not accept the test ${limit}.`;
  if (pod.state === "starting" && pod.waitingFor !== undefined) {
    return `The teststack's Pod was not ready ${limit}: ${pod.waitingFor}`;
  }
  if (pod.state === "ready") return `The runner did not report healthy ${limit}.`;
  return `The teststack's Pod was not ready ${limit}.`;
}

function after(time: Date, seconds: number): Date {
  return new Date(time.getTime() + seconds * 1000);
}
