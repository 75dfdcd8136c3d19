import type { V1OwnerReference } from "@kubernetes/client-node";
import { describe, expect, test } from "vitest";
import { expectStatus, SOON, type Target, type TestNamespace } from "./_target.ts";

const MERGE_PATCH = "application/merge-patch+json";

async function createOwned(
  ns: TestNamespace,
  name: string,
  owner: { metadata?: { name?: string; uid?: string } },
  block = true,
): Promise<void> {
  const reference: V1OwnerReference = {
    apiVersion: "v1",
    kind: "ConfigMap",
    name: owner.metadata?.name ?? "",
    uid: owner.metadata?.uid ?? "",
    blockOwnerDeletion: block,
  };
  await ns.createConfigMap(name, { metadata: { ownerReferences: [reference] } });
}

export function describeDeletion(target: () => Target): void {
  const codeOf = async (path: string): Promise<number> => (await target().call("GET", path)).code;

  describe("deletion", () => {
    test("answers what it did, and checks what it is to delete", async () => {
      await using ns = await target().createNamespace();
      const { call } = target();
      const { metadata } = await ns.createConfigMap("a");
      const path = ns.path("configmaps", "a");
      expectStatus(await call("DELETE", path, { body: { preconditions: { uid: "other" } } }), 409, {
        reason: "Conflict",
        message: expect.stringContaining(
          `the UID in the precondition (other) does not match the UID in record (${metadata?.uid})`,
        ),
      });
      expectStatus(await call("DELETE", path, { body: { preconditions: { resourceVersion: "1" } } }), 409, {
        reason: "Conflict",
      });
      expectStatus(await call("DELETE", path, { body: { propagationPolicy: "Perhaps" } }), 422, {
        details: { kind: "DeleteOptions" },
      });
      const done = await call("DELETE", path, { body: { preconditions: { uid: metadata?.uid } } });
      expect(done.json).toMatchObject({
        kind: "Status",
        status: "Success",
        details: { name: "a", kind: "configmaps", uid: metadata?.uid },
      });
      expectStatus(await call("DELETE", path), 404, { reason: "NotFound", message: 'configmaps "a" not found' });
    });

    test("waits for finalizers, and takes no new ones then", async () => {
      await using ns = await target().createNamespace();
      const { call } = target();
      await ns.createConfigMap("a", { metadata: { finalizers: ["x.y/z"] } });
      const path = ns.path("configmaps", "a");
      const marked = await call("DELETE", path);
      expect(marked.json.metadata).toMatchObject({
        deletionTimestamp: expect.any(String),
        deletionGracePeriodSeconds: 0,
        finalizers: ["x.y/z"],
      });
      const patch = (finalizers: string[]) =>
        call("PATCH", path, { body: { metadata: { finalizers } }, contentType: MERGE_PATCH });
      expectStatus(await patch(["x.y/z", "x.y/new"]), 422, {
        message: expect.stringContaining("no new finalizers can be added if the object is being deleted"),
      });
      expect((await patch([])).code).toBe(200);
      expect(await codeOf(path)).toBe(404);
    });

    test("of a collection takes what is selected", async () => {
      await using ns = await target().createNamespace();
      await ns.createConfigMap("a", { metadata: { labels: { app: "x" } } });
      await ns.createConfigMap("b", { metadata: { labels: { app: "y" } } });
      const { code } = await target().call("DELETE", `${ns.path("configmaps")}?labelSelector=app=x`);
      expect(code).toBe(200);
      expect(await codeOf(ns.path("configmaps", "a"))).toBe(404);
      expect(await codeOf(ns.path("configmaps", "b"))).toBe(200);
    });

    test("in the background: the owner goes at once, what it owns afterwards", async () => {
      await using ns = await target().createNamespace();
      const owner = await ns.createConfigMap("owner");
      await createOwned(ns, "owned", owner);
      const body = { propagationPolicy: "Background" };
      await target().call("DELETE", ns.path("configmaps", "owner"), { body });
      expect(await codeOf(ns.path("configmaps", "owner"))).toBe(404);
      await expect.poll(() => codeOf(ns.path("configmaps", "owned")), SOON).toBe(404);
    });

    test("in the foreground: the owner waits for what blocks it", async () => {
      await using ns = await target().createNamespace();
      const { call } = target();
      const owner = await ns.createConfigMap("owner");
      await createOwned(ns, "owned", owner);
      const held = { metadata: { finalizers: ["x.y/z"] } };
      await call("PATCH", ns.path("configmaps", "owned"), { body: held, contentType: MERGE_PATCH });
      const body = { propagationPolicy: "Foreground" };
      const marked = await call("DELETE", ns.path("configmaps", "owner"), { body });
      expect(marked.json.metadata.finalizers).toEqual(["foregroundDeletion"]);
      const isMarked = async (): Promise<boolean> =>
        (await call("GET", ns.path("configmaps", "owned"))).json.metadata.deletionTimestamp !== undefined;
      await expect.poll(isMarked, SOON).toBe(true);
      expect(await codeOf(ns.path("configmaps", "owner"))).toBe(200);
      const free = { metadata: { finalizers: null } };
      await call("PATCH", ns.path("configmaps", "owned"), { body: free, contentType: MERGE_PATCH });
      await expect.poll(() => codeOf(ns.path("configmaps", "owner")), SOON).toBe(404);
      expect(await codeOf(ns.path("configmaps", "owned"))).toBe(404);
    });

    test("orphaning: what was owned stays, owned by nobody", async () => {
      await using ns = await target().createNamespace();
      const { call } = target();
      const owner = await ns.createConfigMap("owner");
      await createOwned(ns, "owned", owner);
      await call("DELETE", ns.path("configmaps", "owner"), { body: { propagationPolicy: "Orphan" } });
      await expect.poll(() => codeOf(ns.path("configmaps", "owner")), SOON).toBe(404);
      const { code, json } = await call("GET", ns.path("configmaps", "owned"));
      expect(code).toBe(200);
      expect(json.metadata.ownerReferences ?? []).toEqual([]);
    });

    test("an object whose owner is not, or is in another namespace, is collected; one with an owner left stays", async () => {
      await using ns = await target().createNamespace();
      await using other = await target().createNamespace();
      const { call } = target();
      const elsewhere = await other.createConfigMap("owner");
      await createOwned(ns, "stranger", elsewhere);
      await createOwned(ns, "lost", { metadata: { name: "none", uid: "none" } });
      const owner = await ns.createConfigMap("owner");
      const references = [owner, { metadata: { name: "none", uid: "none" } }].map(({ metadata }) => ({
        apiVersion: "v1",
        kind: "ConfigMap",
        name: metadata?.name ?? "",
        uid: metadata?.uid ?? "",
      }));
      await ns.createConfigMap("half", { metadata: { ownerReferences: references } });
      await expect.poll(() => codeOf(ns.path("configmaps", "stranger")), SOON).toBe(404);
      await expect.poll(() => codeOf(ns.path("configmaps", "lost")), SOON).toBe(404);
      const owners = async (): Promise<unknown> =>
        (await call("GET", ns.path("configmaps", "half"))).json.metadata.ownerReferences.length;
      await expect.poll(owners, SOON).toBe(1);
    });

    test("of a namespace takes all that is in it, and lets nothing new in", async () => {
      const ns = await target().createNamespace();
      const { call } = target();
      await ns.createConfigMap("a", { metadata: { finalizers: ["x.y/z"] } });
      await call("POST", ns.path("secrets"), { body: { metadata: { name: "s" } } });
      const path = `/api/v1/namespaces/${ns.name}`;
      const marked = await call("DELETE", path);
      expect(marked.json).toMatchObject({ kind: "Namespace", status: { phase: "Terminating" } });
      await expect.poll(() => codeOf(ns.path("secrets", "s")), SOON).toBe(404);
      const late = await call("POST", ns.path("configmaps"), { body: { metadata: { name: "late" } } });
      expectStatus(late, 403, {
        reason: "Forbidden",
        message: `configmaps "late" is forbidden: unable to create new content in namespace ${ns.name} because it is being terminated`,
        details: { causes: [{ reason: "NamespaceTerminating", field: "metadata.namespace" }] },
      });
      const free = { metadata: { finalizers: null } };
      await call("PATCH", ns.path("configmaps", "a"), { body: free, contentType: MERGE_PATCH });
      await expect.poll(() => codeOf(path), SOON).toBe(404);
      const standing = await call("DELETE", "/api/v1/namespaces/default");
      expectStatus(standing, 403, { message: 'namespaces "default" is forbidden: this namespace may not be deleted' });
    });
  });
}
