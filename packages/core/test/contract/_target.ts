import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import type { V1ConfigMap } from "@kubernetes/client-node";
import { Agent, request } from "undici";
import { expect } from "vitest";
import { type Cluster, connectCluster } from "../../src/kubernetes/index.ts";

/** The API server that is judged. */
export interface Target extends AsyncDisposable {
  cluster: Cluster;
  /** An image in which there is `node`. */
  image: string;
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
  /** A new namespace, given up in the end. */
  createNamespace(): Promise<TestNamespace>;
}

export interface CallOptions {
  body?: unknown;
  /** `application/json` when left out. */
  contentType?: string;
  headers?: Record<string, string>;
  /** Goes without credentials. */
  anonymous?: boolean;
}

export interface Answer {
  code: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
  // biome-ignore lint/suspicious/noExplicitAny: whatever the server says is what is looked at
  json: any;
}

export interface TestNamespace extends AsyncDisposable {
  name: string;
  /** Path of a resource's collection in it, or of one object. */
  path(resource: string, name?: string): string;
  createConfigMap(name: string, more?: Partial<V1ConfigMap>): Promise<V1ConfigMap>;
}

const GROUPS: Record<string, string> = {
  statefulsets: "apis/apps/v1",
  ingresses: "apis/networking.k8s.io/v1",
  ingressclasses: "apis/networking.k8s.io/v1",
  networkpolicies: "apis/networking.k8s.io/v1",
  endpointslices: "apis/discovery.k8s.io/v1",
  leases: "apis/coordination.k8s.io/v1",
  roles: "apis/rbac.authorization.k8s.io/v1",
  rolebindings: "apis/rbac.authorization.k8s.io/v1",
};

export async function openTarget(kubeconfig: string, image: string): Promise<Target> {
  const cluster = connectCluster({ kubeconfig, timeoutSeconds: 30 });
  const authorised = await cluster.authorise();
  const dispatcher = authorised.dispatcher ?? new Agent();
  const stranger = new Agent({ connect: { ca: authorityOf(cluster) } });
  const call = async (method: string, path: string, options: CallOptions = {}): Promise<Answer> => {
    const { body, contentType = "application/json", headers, anonymous = false } = options;
    const {
      statusCode,
      headers: answered,
      body: stream,
    } = await request(`${cluster.server}${path}`, {
      method,
      dispatcher: anonymous ? stranger : dispatcher,
      headers: {
        ...(!anonymous && authorised.headers),
        ...(body !== undefined && { "content-type": contentType }),
        ...headers,
      },
      body: body === undefined || typeof body === "string" ? (body ?? null) : JSON.stringify(body),
    });
    const text = await stream.text();
    return { code: statusCode, headers: answered, text, json: parsed(text) };
  };
  return {
    cluster,
    image,
    call,
    createNamespace: () => createNamespace(cluster),
    [Symbol.asyncDispose]: async () => {
      await stranger.destroy();
      await cluster[Symbol.asyncDispose]();
    },
  };
}

function authorityOf({ config }: Cluster): Buffer {
  const { caData, caFile } = config.getCurrentCluster() ?? {};
  return caData === undefined ? readFileSync(caFile ?? "") : Buffer.from(caData, "base64");
}

export function pathOf(namespace: string, resource: string, name?: string): string {
  const root = `/${GROUPS[resource] ?? "api/v1"}/namespaces/${namespace}/${resource}`;
  return name === undefined ? root : `${root}/${name}`;
}

/** Waits for what takes its time, on any machine. */
export const SOON = { timeout: 45_000, interval: 50 };

/** Checks an answer's code and parts of its Status. */
export function expectStatus(answer: Answer, code: number, status: object): void {
  const { json } = answer;
  expect({ code: answer.code, ...json }).toMatchObject({ code, kind: "Status", status: "Failure", ...status });
}

async function createNamespace({ core }: Cluster): Promise<TestNamespace> {
  const name = `contract-${randomBytes(4).toString("hex")}`;
  await core.createNamespace({ body: { metadata: { name } } });
  return {
    name,
    path: (resource, object) => pathOf(name, resource, object),
    createConfigMap: (configMap, { metadata, ...more } = {}) =>
      core.createNamespacedConfigMap({
        namespace: name,
        body: { metadata: { name: configMap, ...metadata }, ...more },
      }),
    [Symbol.asyncDispose]: async () => {
      await core.deleteNamespace({ name }).catch(() => undefined);
    },
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
