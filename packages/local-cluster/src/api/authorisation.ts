import type { IncomingMessage } from "node:http";
import type { KubernetesObject } from "../cluster-api.ts";
import { keyOf } from "../resources/resource.ts";
import { forbidden } from "../status-error.ts";
import type { Store } from "../store/store.ts";
import type { Call } from "./call.ts";

/** Somebody whom the administrator acts as, to see what that one may do. */
export interface User {
  name: string;
  groups: string[];
}

interface Rule {
  verbs?: string[];
  apiGroups?: string[];
  resources?: string[];
  resourceNames?: string[];
}

interface Subject {
  kind: string;
  name: string;
  namespace?: string;
}

/** Reads the headers of `kubectl --as`; undefined for the administrator alone, who may do everything. */
export function findImpersonated({ headersDistinct }: IncomingMessage): User | undefined {
  const name = headersDistinct["impersonate-user"]?.[0];
  if (name === undefined) return undefined;
  const groups = headersDistinct["impersonate-group"] ?? [];
  const [, namespace] = /^system:serviceaccount:([^:]+):[^:]+$/.exec(name) ?? [];
  const ofAccounts = namespace === undefined ? [] : ["system:serviceaccounts", `system:serviceaccounts:${namespace}`];
  return { name, groups: [...groups, ...ofAccounts, "system:authenticated"] };
}

/**
 * Checks that a user may do what a call asks for, by the Roles that are bound to them in its namespace.
 *
 * @throws {StatusError} 403 Forbidden, with the words of the real server
 */
export function checkPermission(user: User, call: Call, store: Store): void {
  const asked = askedFor(call);
  const { verb, group, part, name, namespace } = asked;
  const roles = rolesOf(user, namespace, store);
  if (roles.some(({ role }) => rulesOf(role).some((rule) => grants(rule, asked)))) return;
  const where = namespace === "" ? "at the cluster scope" : `in the namespace "${namespace}"`;
  const lost = roles.flatMap((is) => (is.role ? [] : `role.rbac.authorization.k8s.io "${is.name}" not found`));
  const why = lost.length === 0 ? "" : `: RBAC: ${lost.length === 1 ? lost[0] : `[${lost.join(", ")}]`}`;
  const what = `cannot ${verb} resource "${part}" in API group "${group}" ${where}`;
  throw forbidden(call.resource, name, `User "${user.name}" ${what}${why}`);
}

interface Asked {
  verb: string;
  group: string;
  /** The resource, with its subresource. */
  part: string;
  name: string;
  namespace: string;
}

function askedFor(call: Call): Asked {
  const { resource, subresource, name } = call;
  const { group, plural } = resource;
  const part = subresource === "" ? plural : `${plural}/${subresource}`;
  // A Namespace is in itself.
  const namespace = plural === "namespaces" ? name : call.namespace;
  return { verb: verbOf(call), group, part, name, namespace };
}

/** The Roles that are bound to a user in a namespace, also those that there are not. */
function rolesOf(user: User, namespace: string, store: Store): { name: string; role: KubernetesObject | undefined }[] {
  const bindings = store.list("rolebindings").filter(({ metadata }) => metadata.namespace === namespace);
  const own = bindings.filter((binding) => subjectsOf(binding).some((subject) => isMeant(subject, user)));
  return own.map((binding) => {
    const { name } = binding["roleRef"] as { name: string };
    return { name, role: store.find("roles", keyOf(namespace, name)) };
  });
}

function verbOf({ request, name, query }: Call): string {
  const isWatch = ["1", "true"].includes(query.get("watch") ?? "");
  switch (request.method) {
    case "POST":
      return "create";
    case "PUT":
      return "update";
    case "PATCH":
      return "patch";
    case "DELETE":
      return name === "" ? "deletecollection" : "delete";
    default:
      return name !== "" ? "get" : isWatch ? "watch" : "list";
  }
}

function subjectsOf(binding: KubernetesObject): Subject[] {
  return (binding["subjects"] as Subject[] | undefined) ?? [];
}

function rulesOf(role: KubernetesObject | undefined): Rule[] {
  return (role?.["rules"] as Rule[] | undefined) ?? [];
}

function isMeant({ kind, name, namespace }: Subject, user: User): boolean {
  if (kind === "Group") return user.groups.includes(name);
  return user.name === (kind === "ServiceAccount" ? `system:serviceaccount:${namespace}:${name}` : name);
}

function grants(rule: Rule, { verb, group, part, name }: Asked): boolean {
  const { verbs = [], apiGroups = [], resources = [], resourceNames = [] } = rule;
  const holds = (list: string[], value: string): boolean => list.includes("*") || list.includes(value);
  const [, subresource] = part.split("/");
  const holdsPart = holds(resources, part) || (subresource !== undefined && resources.includes(`*/${subresource}`));
  const holdsName = resourceNames.length === 0 || resourceNames.includes(name);
  return holds(verbs, verb) && holds(apiGroups, group) && holdsPart && holdsName;
}
