import { readFile } from "node:fs/promises";

/** What the API server noted of one request. */
export interface AuditedRequest {
  verb: string;
  user: string;
  /** `namespace/group/resource`, the core group as "", with the subresource; undefined for no resource (`/version`). */
  place: string | undefined;
  receivedAt: Date;
  isForbidden: boolean;
}

interface AuditLine {
  auditID: string;
  verb: string;
  user: { username: string };
  objectRef?: { namespace?: string; apiGroup?: string; resource: string; subresource?: string };
  requestReceivedTimestamp: string;
  annotations?: Record<string, string>;
}

/** Reads an audit log: each request once, in the order of their coming. */
export async function readAuditLog(file: string): Promise<AuditedRequest[]> {
  const byId = new Map<string, AuditedRequest>();
  for (const text of (await readFile(file, "utf8")).split("\n")) {
    // The last line may still be on its way.
    if (!text.endsWith("}")) continue;
    const line: AuditLine = JSON.parse(text);
    byId.set(line.auditID, toRequest(line));
  }
  return [...byId.values()].sort((a, b) => a.receivedAt.getTime() - b.receivedAt.getTime());
}

function toRequest(line: AuditLine): AuditedRequest {
  const { namespace = "", apiGroup = "", resource, subresource } = line.objectRef ?? { resource: "" };
  const full = subresource === undefined ? resource : `${resource}/${subresource}`;
  return {
    verb: line.verb,
    user: line.user.username,
    place: resource === "" ? undefined : `${namespace}/${apiGroup}/${full}`,
    receivedAt: new Date(line.requestReceivedTimestamp),
    isForbidden: line.annotations?.["authorization.k8s.io/decision"] === "forbid",
  };
}
