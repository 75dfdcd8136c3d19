import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { applyManifests, type Cluster, connectCluster, type Manifest } from "@cactus/core/kubernetes";
import { connect } from "@cactus/db";
import { installIngressNginx } from "@cactus/test-cluster";
import { sql } from "kysely";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { loadPostgresImage } from "./_images.ts";
import { type Issuer, type OperatorsTerminal, openTerminal, startIssuer } from "./_operator.ts";

/**
 * The README's chapter for operators, its commands run as they stand there, from an empty cluster until nothing is left.
 * What an operator has before, this file makes: the Ingress controller, the database, the issuer and a token, the names.
 * Of the values that the chapter leaves to its reader one is another here: where the issuer has its keys.
 */
const LONG = 15 * 60_000;
const POSTGRES = fileURLToPath(new URL("../../../infra/kubernetes/overlays/test/postgres.yaml", import.meta.url));
const NAMESPACES = ["test-orchestration", "test-execution", "teststack-templates"];
/** Kinds without a namespace that an installation might leave behind. */
const CLUSTER_WIDE = "namespaces,clusterroles,clusterrolebindings,customresourcedefinitions,ingressclasses";

const { kubeconfig, kubectl: program } = inject("kubernetes");
const stack = new AsyncDisposableStack();
let cluster: Cluster;
let issuer: Issuer;
let terminal: OperatorsTerminal;

async function kubectl(...parameters: string[]): Promise<string> {
  return (await promisify(execFile)(program, ["--kubeconfig", kubeconfig, ...parameters])).stdout;
}

beforeAll(async () => {
  cluster = stack.use(connectCluster({ kubeconfig, timeoutSeconds: 30 }));
  stack.use(await installIngressNginx({ kubeconfig, kubectl: program }));
  await makeDatabase();
  issuer = stack.use(await startIssuer());
  const controller = { namespace: "ingress-nginx", name: "ingress-nginx-controller" };
  const address = (await cluster.core.readNamespacedService(controller)).spec?.clusterIP ?? "";
  const hosts = ["cactus.example.org", "cactus-api.example.org"];
  terminal = stack.use(await openTerminal({ kubeconfig, kubectl: program, hosts, address }));
}, LONG);
afterAll(async () => {
  // What is left when a command has failed, and the database.
  await kubectl("delete", "namespace", "--ignore-not-found", "database", ...NAMESPACES);
  await stack.disposeAsync();
}, LONG);

/** The database that the chapter's URL names: `cactus`, of a user `cactus`, at the Service `postgres` in `database`. */
async function makeDatabase(): Promise<void> {
  await loadPostgresImage("cactus.local/postgres:test");
  const text = (await readFile(POSTGRES, "utf8")).replaceAll("test-database", "database");
  const manifests = parseAllDocuments(text).map((document) => document.toJS() as Manifest);
  await applyManifests(
    cluster,
    manifests.filter(({ kind }) => kind !== "Secret"),
  );
  await kubectl("rollout", "status", "deployment/postgres", "-n", "database", "--timeout=120s");
  const service = await cluster.core.readNamespacedService({ namespace: "database", name: "postgres" });
  const db = connect({ url: `postgresql://postgres@${service.spec?.clusterIP}/postgres` });
  for (const statement of ["create role cactus login", "create database cactus owner cactus"])
    await sql.raw(statement).execute(db);
  await db.destroy();
}

/** The commands of the chapter, as they stand in the clone. */
async function readCommands(): Promise<string[]> {
  const readme = await readFile(join(terminal.folder, "README.md"), "utf8");
  const chapter = readme.split(/^## /m).find((part) => part.startsWith("Deploy\n")) ?? "";
  return [...chapter.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, commands = ""]) => commands);
}

const listClusterWide = (): Promise<string> => kubectl("get", CLUSTER_WIDE, "-o", "name");

test("an operator comes from an empty cluster to the first run, through an upgrade and a rotation, and back", {
  timeout: LONG,
}, async () => {
  const before = await listClusterWide();
  const token = await issuer.sign({ issuer: "https://issuer.example.org/", audience: "cactus" });
  await writeFile(join(terminal.folder, "token"), token);
  const commands = (await readCommands()).join("");
  const own = /^JWKS_URL=.*$/m;
  expect(commands.match(own)).toHaveLength(1);
  const output = await terminal.run(commands.replace(own, `JWKS_URL=${issuer.jwksUrl}`));

  for (const told of [
    "made the signing CA in Secret test-orchestration/tls-ca-cert-key-pair",
    "made the server's certificate in Secret test-execution/tls-server-certificate",
    "made the API's certificate in Secret test-orchestration/tls-api-certificate",
    "over mutual TLS",
    "A new CA signs from now on.",
    "The old CA is gone",
    '"status":"ok"',
    'cactus_certificate_expiry_days{certificate="api"} 39',
    'namespace "test-orchestration" deleted',
  ]) {
    expect(output).toContain(told);
  }
  expect(output).not.toContain("problem:");
  const zip = await readFile(join(terminal.folder, "ALL-01.zip"));
  expect(zip.subarray(0, 2).toString()).toBe("PK");
  expect(await listClusterWide()).toBe(before);
});
