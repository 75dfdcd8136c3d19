import { RunnerError } from "@cactus/core/runner";
import { countRestarts } from "@cactus/core/teststack";
import { NotYet, type StepContext } from "../step-context.ts";

/** Remembers the Pod that was found ready: from here on another one, or a restart in it, means that the test is lost. */
export async function checkHealth({ deps, teststack, runner, commit }: StepContext): Promise<void> {
  const pod = deps.watch.pods(teststack.id).find((candidate) => !candidate.metadata?.deletionTimestamp);
  const uid = pod?.metadata?.uid;
  if (pod === undefined || uid === undefined) throw new NotYet("The teststack's Pod is not there.");
  await runner.health().catch((error: unknown) => {
    if (error instanceof RunnerError) throw new NotYet(error.message, { cause: error });
    throw error;
  });
  await commit({
    teststack: { phase: "ready", pod_uid: uid, pod_restarts: countRestarts(pod) },
    events: [{ kind: "ready", message: "Pod ready, runner healthy.", detail: { pod: pod.metadata?.name } }],
  });
}
