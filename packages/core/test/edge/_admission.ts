import { AdmissionregistrationV1Api, type V1Ingress } from "@kubernetes/client-node";
import { describe, expect, test, vi } from "vitest";
import { SOON } from "./_echo.ts";
import { type EdgeUnderTest, openHost } from "./_host.ts";

/** How the makers of ingress-nginx install it: what its webhook refuses, nobody can make. */
export function describeAdmission(edge: () => EdgeUnderTest): void {
  describe("admission, with the strictness of later versions", () => {
    test("takes our routes and their updates, and refuses what a pattern of type Prefix is", async () => {
      await using host = await openHost(edge());
      const { cluster, namespace } = host;
      await using _ = await demandAdmission(edge(), namespace);
      const make = async (name: string, change: (ingress: V1Ingress) => void): Promise<unknown> => {
        const body = structuredClone(host.buildRoute(name));
        change(body);
        return cluster.networking.createNamespacedIngress({ namespace, body });
      };
      const makePattern = (ingress: V1Ingress): void => {
        for (const { http } of ingress.spec?.rules ?? [])
          for (const path of http?.paths ?? []) path.pathType = "Prefix";
      };
      // From when it is asked.
      await vi.waitFor(
        () => expect(make("prefix", makePattern)).rejects.toThrow("cannot be used with pathType Prefix"),
        SOON,
      );
      await host.addInstance("run-1");
      await host.untilServed("run-1");
      const route = await cluster.networking.readNamespacedIngress({ namespace, name: "run-1" });
      route.metadata = { ...route.metadata, labels: { ...route.metadata?.labels, touched: "yes" } };
      await cluster.networking.replaceNamespacedIngress({ namespace, name: "run-1", body: route });
    });
  });
}

async function demandAdmission({ cluster }: EdgeUnderTest, namespace: string): Promise<AsyncDisposable> {
  const api = cluster.config.makeApiClient(AdmissionregistrationV1Api);
  const controller = { namespace: "ingress-nginx", name: "ingress-nginx-controller-admission" };
  const secret = { namespace: "ingress-nginx", name: "ingress-nginx-admission" };
  const { data } = await cluster.core.readNamespacedSecret(secret);
  const body = {
    metadata: { name: namespace },
    webhooks: [
      {
        name: "validate.nginx.ingress.kubernetes.io",
        clientConfig: {
          service: { ...controller, path: "/networking/v1/ingresses" },
          caBundle: data?.["tls.crt"] ?? "",
        },
        rules: [
          {
            apiGroups: ["networking.k8s.io"],
            apiVersions: ["v1"],
            operations: ["CREATE", "UPDATE"],
            resources: ["ingresses"],
          },
        ],
        namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace } },
        admissionReviewVersions: ["v1"],
        sideEffects: "None",
        failurePolicy: "Fail",
      },
    ],
  };
  await api.createValidatingWebhookConfiguration({ body });
  return {
    async [Symbol.asyncDispose]() {
      await api.deleteValidatingWebhookConfiguration({ name: namespace });
    },
  };
}
