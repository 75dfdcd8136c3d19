import { type Faults, faultTable } from "./faults.ts";
import { type Kind, pathPrefix, port, readVariables, text, type ValuesOf, variable } from "./variable.ts";

const optionalPort: Kind<number | undefined> = port;

/** Where the simulator stands; what goes wrong in it is in `faults.ts`. */
export const settingTable = {
  host: variable("HOST", text, "0.0.0.0", "address to listen on"),
  port: variable("PORT", port, 8080, "runner API and proxy; where `PORT_8080` is set, that wins"),
  controlPort: variable("CONTROL_PORT", optionalPort, undefined, "control endpoint; unset: none"),
  hrefPrefix: variable("HREF_PREFIX", pathPrefix, "", "begins every href and `Location`"),
  proxyPrefix: variable("ENVOY_PROXY_PREFIX", pathPrefix, "", "only below it is proxied; unset: every unknown path"),
  dataDir: variable("DATA_DIR", text, "", "folder of request files; unset: a temporary one"),
};

export type Settings = ValuesOf<typeof settingTable>;

/**
 * Reads settings and faults from the environment. A port `n` gives way to `PORT_n`, which the local cluster sets where
 * its Pods share one address.
 *
 * @throws {Error} naming every variable that cannot be read, one per line
 */
export function parseConfig(env: Readonly<Record<string, string | undefined>>): Settings & { faults: Faults } {
  const settings = readVariables(settingTable, env);
  const faults = readVariables(faultTable, env);
  const { port: wanted, controlPort } = settings.values;
  const assigned = readVariables(
    {
      port: { ...settingTable.port, name: `PORT_${wanted}`, initial: wanted },
      controlPort: { ...settingTable.controlPort, name: `PORT_${controlPort}`, initial: controlPort },
    },
    env,
  );
  const mistakes = [settings, faults, assigned].flatMap((part) => part.mistakes);
  if (mistakes.length > 0) throw new Error(`The configuration cannot be used:\n${mistakes.join("\n")}`);
  return { ...settings.values, ...assigned.values, faults: faults.values };
}
