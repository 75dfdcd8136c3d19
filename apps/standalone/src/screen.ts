import type { StandaloneInfo } from "./standalone.ts";

/** The one screen that a newcomer sees: what is where, and what to type next. */
export function describeStandalone(info: StandaloneInfo, seconds: number): string {
  return `
cactus-orchestrator is up (${seconds.toFixed(1)} s).

  API          ${info.orchestratorUrl}        (tRPC under /trpc; /healthz, /readyz, /metrics)
  Edge         ${info.edgeUrl}        (mutual TLS: test instances answer here)
  Kubernetes   kubectl --kubeconfig ${info.kubeconfig} get pods -A -w
  Token        ${info.token}

Next, in a second terminal:

  npx -y pnpm@10 cactus run ALL-01 --out ALL-01.zip     a whole test run, with live progress
  npx -y pnpm@10 cactus --help                          what else there is

Ctrl-C stops everything. What was stored is there again at the next start.
`;
}
