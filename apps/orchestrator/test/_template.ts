import type { V1StatefulSet } from "@kubernetes/client-node";
import type { TestInstallation } from "./_installation.ts";

/** Runs something with a changed template, and puts the template back. */
export async function withTemplate(
  { cluster }: Pick<TestInstallation, "cluster">,
  change: (set: V1StatefulSet) => void,
  run: () => Promise<void>,
): Promise<void> {
  const { apps } = cluster.client;
  const place = { namespace: "teststack-templates", name: "envoy-set" };
  const original = await apps.readNamespacedStatefulSet(place);
  const changed = structuredClone(original);
  change(changed);
  const replace = async (body: V1StatefulSet) => {
    const { metadata } = await apps.readNamespacedStatefulSet(place);
    await apps.replaceNamespacedStatefulSet({
      ...place,
      body: { ...body, metadata: { ...body.metadata, resourceVersion: metadata?.resourceVersion ?? "" } },
    });
  };
  await replace(changed);
  try {
    await run();
  } finally {
    await replace(original);
  }
}
