import { generateKeyPairSync, randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { command } from "./command.ts";
import { places } from "./places.ts";

export const API_URL = "https://10.245.0.1:6443";

/** Who is known by a token, with their groups. */
const USERS: Record<string, string[]> = {
  admin: ["system:masters"],
  coredns: ["system:masters"],
  "system:kube-controller-manager": [],
  "system:kube-proxy": [],
  "system:kube-scheduler": [],
  "system:node:node1": ["system:nodes"],
};

const NAMES = [
  "IP:10.245.0.1",
  "IP:10.96.0.1",
  "DNS:kubernetes",
  "DNS:kubernetes.default",
  "DNS:kubernetes.default.svc",
];

/** Makes the certificate, the keys, the tokens and the kubeconfigs of a new cluster. Gives the administrator's token. */
export async function writeCredentials(): Promise<{ token: string; ca: string }> {
  const at = (name: string): string => join(places.settings, name);
  // One certificate for the API server and the kubelet, which is its own authority and says who the server is to the kubelet.
  await command(
    "openssl",
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"],
    ...["-subj", "/O=system:masters/CN=kube-apiserver", "-addext", `subjectAltName=${NAMES.join(",")}`],
    ...["-keyout", at("server.key"), "-out", at("server.crt")],
  );
  const ca = await readFile(at("server.crt"), "utf8");
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  await writeSecret(at("service-accounts.key"), privateKey.export({ type: "pkcs8", format: "pem" }));
  await writeSecret(at("service-accounts.pub"), publicKey.export({ type: "spki", format: "pem" }));

  const users = Object.entries(USERS).map(([user, groups]) => ({
    user,
    groups,
    token: randomBytes(24).toString("hex"),
  }));
  const lines = users.map(({ user, groups, token }) => `${token},${user},${user},"${groups.join(",")}"\n`);
  await writeSecret(at("tokens.csv"), lines.join(""));
  for (const { user, token } of users) await writeSecret(at(`${user}.kubeconfig`), buildKubeconfig(user, token, ca));
  const token = users[0]?.token ?? "";
  await writeSecret(places.kubeconfig, buildKubeconfig("admin", token, ca));
  return { token, ca };
}

function buildKubeconfig(user: string, token: string, ca: string): string {
  const name = "test-cluster";
  const authority = Buffer.from(ca).toString("base64");
  const config = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name, cluster: { server: API_URL, "certificate-authority-data": authority } }],
    users: [{ name: user, user: { token } }],
    contexts: [{ name, context: { cluster: name, user } }],
    "current-context": name,
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}

function writeSecret(file: string, text: string | Buffer): Promise<void> {
  return writeFile(file, text, { mode: 0o600 });
}
