import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { describeConfig, parseConfig } from "./config.ts";

const needed = {
  ORCHESTRATOR_DATABASE_URL: "postgresql+asyncpg://u:p@db/cactus",
  TEST_EXECUTION_FQDN: "cactus.example.org",
  JWTAUTH_JWKS_URL: "https://issuer.example.org/jwks.json",
  JWTAUTH_ISSUER: "https://issuer.example.org/",
  JWTAUTH_AUDIENCE: "cactus",
  TEST_PROCEDURES_DIRECTORY: "/procedures",
};

test("what operators have in their deployments keeps its defaults", () => {
  expect(parseConfig({ ...needed, LOG_LEVEL: "" })).toMatchObject({
    KUBERNETES_LOAD_CONFIG: true,
    TEST_ORCHESTRATION_NAMESPACE: "test-orchestration",
    TEST_EXECUTION_NAMESPACE: "test-execution",
    TEST_EXECUTION_INGRESS_NAME: "test-execution-ingress",
    TESTSTACK_SERVICE_PORT: 80,
    TESTSTACK_TEMPLATES_NAMESPACE: "teststack-templates",
    TEMPLATE_SERVICE_NAME: "envoy-svc",
    TEMPLATE_APP_NAME: "envoy",
    TEMPLATE_STATEFULSET_NAME: "envoy-set",
    TLS_CA_CERTIFICATE_GENERIC_SECRET_NAME: "tls-ca-certificate",
    TLS_CA_TLS_SECRET_NAME: "tls-ca-cert-key-pair",
    IDLETEARDOWNTASK_ENABLE: true,
    IDLETEARDOWNTASK_MAX_LIFETIME_SECONDS: 86_400,
    IDLETEARDOWNTASK_IDLE_TIMEOUT_SECONDS: 3_600,
    IDLETEARDOWNTASK_REPEAT_EVERY_SECONDS: 120,
    LOG_LEVEL: "info",
  });
});

test("all mistakes are told at once, by name", () => {
  const mistaken = {
    ...needed,
    ORCHESTRATOR_DATABASE_URL: "mysql://x",
    JWTAUTH_ISSUER: undefined,
    HTTP_PORT: "80a",
    TESTSTACK_SERVICE_PORT: "70000",
    IDLETEARDOWNTASK_ENABLE: "yes",
    EDGE_ADDRESS: "edge",
  };
  expect(() => parseConfig(mistaken)).toThrow(
    [
      "The configuration cannot be used:",
      "ORCHESTRATOR_DATABASE_URL must be a postgresql:// URL",
      "TESTSTACK_SERVICE_PORT must be a whole number from 1 to 65535",
      "IDLETEARDOWNTASK_ENABLE must be true or false",
      "JWTAUTH_ISSUER must be set",
      "HTTP_PORT must be a whole number from 0 to 65535",
      "EDGE_ADDRESS must be host:port",
    ].join("\n  "),
  );
});

test("what cannot go together is refused in a sentence", () => {
  const proxied = { ...needed, TESTSTACK_ACCESS: "proxy" };
  expect(parseConfig(proxied).TESTSTACK_ENCRYPTION).toBe("none");
  expect(() => parseConfig({ ...proxied, TESTSTACK_ENCRYPTION: "sidecar" })).toThrow(
    "TESTSTACK_ENCRYPTION cannot be sidecar with TESTSTACK_ACCESS=proxy: the API server's proxy shows instances no certificate",
  );
});

test("the README's table says the same as the code", () => {
  const readme = readFileSync(new URL("../../../README.md", import.meta.url), "utf8");
  const rows = [...readme.matchAll(/^\| `([A-Z_]+)` \| (.*?) \| (.*?) \|$/gm)].map(([, name, fallback, meaning]) => ({
    name,
    default: fallback === "–" ? undefined : fallback?.replaceAll("`", ""),
    meaning,
  }));
  expect(rows).toEqual(describeConfig());
});
