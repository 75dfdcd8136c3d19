import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createOrchestratorClient } from "@cactus/client";
import type { Connection } from "../connection.ts";

export interface CertificateOptions {
  kind: "device" | "aggregator";
  /** Folder for the files. */
  out: string;
  /** File of a PKCS#10 request; left out, a key is made. */
  csr: string | undefined;
}

/** Issues a client certificate and writes it down: private files are readable by their owner only. Returns what to tell. */
export async function certificate(connection: Connection, options: CertificateOptions): Promise<string> {
  const client = createOrchestratorClient(connection);
  const csr = options.csr === undefined ? undefined : await readFile(options.csr, "utf8");
  const issued = await client.certificates.issue.mutate({ kind: options.kind, ...(csr !== undefined && { csr }) });
  const authority = await client.certificates.authority.query();
  await mkdir(options.out, { recursive: true });
  const files: [name: string, content: string | Buffer | null, mode: number][] = [
    ["chain.pem", issued.chainPem, 0o644],
    ["ca.pem", authority.certificatePem, 0o644],
    ["key.pem", issued.privateKeyPem, 0o600],
    ["client.p12", issued.pkcs12Base64 === null ? null : Buffer.from(issued.pkcs12Base64, "base64"), 0o600],
    ["client.p12.password", issued.pkcs12Password, 0o600],
  ];
  const written: string[] = [];
  for (const [name, content, mode] of files) {
    if (content === null) continue;
    const path = join(options.out, name);
    await writeFile(path, content, { mode });
    written.push(path);
  }
  return [
    `certificate id  ${issued.certificateId}`,
    `LFDI            ${issued.lfdi}`,
    `SFDI            ${issued.sfdi}`,
    `valid           ${issued.notBefore} to ${issued.notAfter}`,
    ...written.map((path) => `wrote           ${path}`),
  ].join("\n");
}
