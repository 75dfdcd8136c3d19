import { buildTestUrl } from "../../routes/run-view.ts";
import { NotYet, type StepContext } from "../step-context.ts";

/** Nobody is told the address before it works. */
export async function proveRoute({ deps, teststack, commit }: StepContext): Promise<void> {
  const result = await deps.edgeProbe(teststack.name);
  if (!result.reached) {
    const { why, cause } = result;
    throw new NotYet(`The public address does not lead to the teststack yet: ${why}.`, { cause });
  }
  const testUrl = buildTestUrl(teststack.name, deps.config);
  const seconds = (deps.now().getTime() - teststack.phase_since.getTime()) / 1000;
  await commit({
    teststack: { phase: "routed" },
    events: [{ kind: "routed", message: "Reached through the public address.", detail: { testUrl, seconds } }],
  });
}
