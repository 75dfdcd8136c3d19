import { type Command, Option } from "commander";
import type { PkiOptions, PkiOutcome } from "./commands/pki.ts";
import { type Environment, findStandalone } from "./connection.ts";

type Actions = typeof import("./commands/pki.ts");

/** Each option is set by the variable that tells the orchestrator the same, and has the same default. */
const PLACES: [flag: string, variable: string, fallback: string | undefined, meaning: string][] = [
  ["--orchestration-namespace", "TEST_ORCHESTRATION_NAMESPACE", "test-orchestration", "namespace of the signing CA"],
  ["--execution-namespace", "TEST_EXECUTION_NAMESPACE", "test-execution", "namespace of the edge's Secrets"],
  ["--ca-secret", "TLS_CA_CERTIFICATE_GENERIC_SECRET_NAME", "tls-ca-certificate", "Secret that verifies clients"],
  ["--signing-secret", "TLS_CA_TLS_SECRET_NAME", "tls-ca-cert-key-pair", "Secret of the signing CA"],
  ["--internal-ca-secret", "TESTSTACK_INTERNAL_CA_SECRET_NAME", "teststack-internal-ca", "Secret of the internal CA"],
  [
    "--edge-client-secret",
    "TESTSTACK_EDGE_CLIENT_SECRET_NAME",
    "teststack-edge-client",
    "Secret that the edge shows to encrypted instances",
  ],
  ["--ingress", "TEST_EXECUTION_INGRESS_NAME", "test-execution-ingress", "base Ingress"],
  ["--api-ingress", "ORCHESTRATOR_INGRESS_NAME", "orchestrator", "Ingress of the API"],
  ["--fqdn", "TEST_EXECUTION_FQDN", undefined, "public name of the instances (default: the base Ingress's host)"],
];

const ORGANISATION = ["--organisation <name>", "organisation in the CA's names", "CACTUS"] as const;

/** Adds `cactus pki …`. What it works with is loaded when one of its commands runs, since the others start without. */
export function addPkiCommands(program: Command, environment: Environment, tell: (outcome: PkiOutcome) => void): void {
  const pki = program
    .command("pki")
    .description("the certificates of an installation, in the Secrets of its cluster; keys are never shown");

  function add<TOptions extends PkiOptions>(
    name: string,
    description: string,
    act: (actions: Actions, options: TOptions) => Promise<PkiOutcome>,
  ): Command {
    const command = pki.command(name).description(description);
    command.option("--kubeconfig <file>", "default: KUBECONFIG, the one running on this machine, or kubectl's own");
    for (const [flag, variable, fallback, meaning] of PLACES) {
      command.addOption(new Option(`${flag} <name>`, meaning).env(variable).default(fallback));
    }
    command.option("--server-secret <name>", "Secret of the server's certificate (default: the base Ingress's)");
    return command.action(async (options: TOptions) => {
      const kubeconfig = options.kubeconfig ?? findKubeconfig(environment);
      tell(await act(await import("./commands/pki.ts"), { ...options, kubeconfig }));
    });
  }

  add(
    "bootstrap",
    "make what is missing: CA, what verifies clients, certificates of server and API",
    ({ bootstrap }, options: Bootstrap) => bootstrap(options),
  )
    .option("--ip <address...>", "addresses under which the server is reached without a name", [])
    .option(...ORGANISATION)
    .option("--encryption", "also what TESTSTACK_ENCRYPTION=sidecar needs: internal CA, the edge's certificate", false)
    .addOption(
      new Option("--edge <kind>", "Ingress controller").choices(["ingress-nginx", "f5"]).default("ingress-nginx"),
    );
  add("status", "tell each certificate and what is wrong; exit code 1: something is", ({ status }, options) =>
    status(options),
  );
  add("rotate-server", "give the server a new certificate and key", ({ rotateServer }, options: RotateServer) =>
    rotateServer(options),
  ).option("--api", "the API in place of the server");
  add("rotate-ca", "replace the signing CA, with an overlap in which both count", ({ rotateCa }, options: RotateCa) =>
    rotateCa(options),
  )
    .option("--finish", "end the overlap: the old CA counts no more")
    .option(...ORGANISATION);
}

type Bootstrap = Parameters<Actions["bootstrap"]>[0];
type RotateServer = Parameters<Actions["rotateServer"]>[0];
type RotateCa = Parameters<Actions["rotateCa"]>[0];

function findKubeconfig(environment: Environment): string | undefined {
  return environment["KUBECONFIG"] ? undefined : findStandalone(environment)?.kubeconfig;
}
