import { type ChildProcessWithoutNullStreams, execFile, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import {
  buildPkcs12,
  type ClientCertificate,
  issueClientCertificate,
  issueServerCertificate,
} from "../src/pki/index.ts";
import { createTestPki, type TestPki } from "./_pki.ts";

export const PASSWORD = "not-hexadecimal ~!";
export const FRIENDLY_NAME = "cactus device";

/** One of everything that we issue, as files that other programs read. */
export interface PkiFolder extends AsyncDisposable {
  readonly path: string;
  readonly pki: TestPki;
  readonly device: ClientCertificate;
  readonly aggregator: ClientCertificate;
  /** Runs a tool in the folder and gives what it printed. Fails when the tool is missing or says no. */
  run(tool: string, ...args: string[]): Promise<string>;
  /** Starts a tool in the folder. */
  start(tool: string, ...args: string[]): ChildProcessWithoutNullStreams;
}

export async function createPkiFolder(now: Date): Promise<PkiFolder> {
  const pki = await createTestPki(now);
  const client = { pen: 28547, hardwareSerial: "cactus-1", now };
  const device = await issueClientCertificate(pki.authority, { ...client, kind: "device" });
  const named = { commonName: "agg", dnsNames: ["agg.example.com"] };
  const aggregator = await issueClientCertificate(pki.authority, { ...client, ...named, kind: "aggregator" });
  const names = { dnsNames: ["localhost", "cactus.example.com"], ipAddresses: ["127.0.0.1", "2001:db8::5"] };
  const server = await issueServerCertificate(pki.authority, { ...names, now });
  const privateKeyPem = device.privateKeyPem ?? "";
  const files = {
    "serca.pem": pki.hierarchy.sercaPem,
    "issuers.pem": pki.authority.issuersPem,
    "device.pem": device.certificatePem,
    "device.key": privateKeyPem,
    "device.p12": await buildPkcs12({ ...device, privateKeyPem, friendlyName: FRIENDLY_NAME, password: PASSWORD }),
    "aggregator.pem": aggregator.certificatePem,
    "server.pem": server.certificatePem,
    "server.key": server.privateKeyPem,
  };
  const path = await mkdtemp(join(tmpdir(), "cactus-pki-"));
  await Promise.all(Object.entries(files).map(([name, content]) => writeFile(join(path, name), content)));
  return {
    path,
    pki,
    device,
    aggregator,
    run: async (tool, ...args) => (await promisify(execFile)(tool, args, { cwd: path })).stdout,
    start: (tool, ...args) => spawn(tool, args, { cwd: path }),
    [Symbol.asyncDispose]: () => rm(path, { recursive: true }),
  };
}
