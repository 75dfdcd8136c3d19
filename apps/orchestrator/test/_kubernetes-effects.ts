import type { Effects } from "./_effects.ts";
import { type Exchange, startKubernetesProxy, writeKubeconfig } from "./_kubernetes-proxy.ts";

/**
 * Stands between an orchestrator and the API server: each write to Kubernetes, and each call to a runner (they pass the
 * Service proxy), is an effect. Writes a kubeconfig that leads here.
 */
export async function startKubernetesEffects(
  kubeconfig: string,
  file: string,
  effects: Effects,
): Promise<AsyncDisposable> {
  const proxy = await startKubernetesProxy(kubeconfig, async (exchange) => {
    const effect = nameEffect(exchange);
    const fate = effect === undefined ? "pass" : effects.judge(effect);
    if (fate === "die-before") return effects.die();
    const answer = await exchange.forward({ anyway: fate === "die-after" });
    if (fate === "pass") return exchange.pass(answer);
    await answer.body.arrayBuffer();
    return effects.die();
  });
  await writeKubeconfig(file, proxy);
  return proxy;
}

function nameEffect({ name }: Exchange): string | undefined {
  if (name.startsWith("runner ")) return name;
  return /^(GET|watch|try) /.test(name) ? undefined : `kubernetes ${name}`;
}
