import { type Authority, createHierarchy, type Hierarchy, loadAuthority } from "../src/pki/index.ts";

export interface TestPki {
  readonly hierarchy: Hierarchy;
  readonly authority: Authority;
}

/** Makes a hierarchy and loads its MICA as the orchestrator does from its Secret. */
export async function createTestPki(now: Date, organisation = "CACTUS"): Promise<TestPki> {
  const hierarchy = await createHierarchy({ organisation, now });
  const certificatePem = hierarchy.micaPem + hierarchy.mcaPem + hierarchy.sercaPem;
  return { hierarchy, authority: loadAuthority({ certificatePem, privateKeyPem: hierarchy.micaPrivateKeyPem, now }) };
}
