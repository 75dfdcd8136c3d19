import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadImage, NODE_IMAGE } from "@cactus/test-cluster";
import { expect, inject, test } from "vitest";

const { kubeconfig, auditLog, kubectl: program } = inject("kubernetes");
const kubectl = (...parameters: string[]): string =>
  execFileSync(program, ["--kubeconfig", kubeconfig, ...parameters], { encoding: "utf8", timeout: 50_000 });

test("only its owner reads the administrator's kubeconfig", () => {
  expect(statSync(kubeconfig).mode & 0o777).toBe(0o600);
});

test("a Pod of a loaded image is found by its name, and each request is on record", async () => {
  const folder = mkdtempSync(join(tmpdir(), "cactus-image-"));
  mkdirSync(join(folder, "bin"));
  execFileSync("cp", ["/bin/busybox", join(folder, "bin/busybox")]);
  writeFileSync(join(folder, "page"), "hello\n");
  await loadImage("cactus.test/web:1", folder, {
    Entrypoint: ["/bin/busybox", "httpd", "-f", "-p", "8080", "-h", "/"],
    User: "65532:65532",
  });
  rmSync(folder, { recursive: true });
  kubectl("run", "web", "--image=cactus.test/web:1", "--image-pull-policy=Never");
  kubectl("expose", "pod", "web", "--port=80", "--target-port=8080");
  kubectl("wait", "pod/web", "--for=condition=Ready", "--timeout=50s");
  const ask = "until wget -qO- http://web.default.svc/page; do sleep 0.1; done";
  const run = ["run", "-i", "--rm", "--quiet", "asks", `--image=${NODE_IMAGE}`, "--image-pull-policy=Never"];
  expect(kubectl(...run, "--restart=Never", "--", "sh", "-c", ask)).toContain("hello");
  const records = readFileSync(auditLog, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(records).toContainEqual(
    expect.objectContaining({
      verb: "create",
      user: expect.objectContaining({ username: "admin" }),
      objectRef: expect.objectContaining({ resource: "services", name: "web" }),
    }),
  );
  kubectl("delete", "pod,service", "web", "--now");
});
