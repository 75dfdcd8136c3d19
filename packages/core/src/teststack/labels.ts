/** Label with the id of the teststack that an object belongs to. */
export const TESTSTACK_LABEL = "cactus-orchestrator/teststack";

const MANAGER = "cactus-orchestrator";

/** Labels of every object that we create: ours, of this installation, of this teststack. */
export function buildLabels(input: { installationId: string; teststackId: string }): Record<string, string> {
  return {
    "app.kubernetes.io/managed-by": MANAGER,
    "app.kubernetes.io/instance": input.installationId,
    [TESTSTACK_LABEL]: input.teststackId,
  };
}

/** Selects all objects of all teststacks of this installation, and nobody else's. */
export function buildSelector(installationId: string): string {
  return `app.kubernetes.io/managed-by=${MANAGER},app.kubernetes.io/instance=${installationId},${TESTSTACK_LABEL}`;
}
