import { buildLabels } from "../labels.ts";
import type { TeststackSpec } from "./schema.ts";

type Lasting = TeststackSpec["containers"][number];
type Container = TeststackSpec["initContainers"][number] & Partial<Lasting>;

interface Located {
  path: string;
  container: Container;
}

const LISTS = ["containers", "sidecars", "initContainers"] as const;
const PROBES = ["startupProbe", "readinessProbe", "livenessProbe"] as const;

/** The builders set these; they would overwrite what the spec says. */
const INJECTED = new Map([
  ["HREF_PREFIX", "hrefContainers says who gets it"],
  ["ENVOY_PROXY_PREFIX", "the runner gets it unless runner.proxyPrefix is false"],
]);

/** Finds what is well-formed but cannot be together; each a path, and what to mend. */
export function findContradictions(spec: TeststackSpec): string[] {
  const all = LISTS.flatMap((list) =>
    spec[list].map((container, index): Located => ({ path: `${list}[${index}]`, container })),
  );
  return [
    ...all.flatMap(({ path, container }) => findMissingImages(path, container.image, spec)),
    ...findDoubles(all.map(({ path, container }) => [`${path}.name`, container.name])),
    ...findDoubles((spec.volumes ?? []).map(({ name }, index) => [`volumes[${index}].name`, name])),
    ...findPortDoubles(all),
    ...all.flatMap((located) => checkContainer(located, spec)),
    ...checkRunner(spec),
    ...checkHrefContainers(spec),
    ...checkLabels(spec),
  ];
}

function findMissingImages(path: string, image: string, { versions }: TeststackSpec): string[] {
  return Object.entries(versions)
    .filter(([, { images }]) => !Object.hasOwn(images, image))
    .map(([name]) => `${path}.image: versions["${name}"].images has no ${image}: add it`);
}

/** The second and later ones of a name that must be unique. */
function findDoubles(names: [path: string, name: string | number][]): string[] {
  const seen = new Map<string | number, string>();
  return names.flatMap(([path, name]) => {
    const first = seen.get(name);
    if (first === undefined) seen.set(name, path);
    return first === undefined ? [] : [`${path}: ${name} is taken by ${first}: choose another`];
  });
}

/** All containers of a Pod share one network: a port belongs to one of them. */
function findPortDoubles(all: Located[]): string[] {
  const ports = all.flatMap(({ path, container }) =>
    (container.ports ?? []).map((port, index) => ({ path: `${path}.ports[${index}]`, ...port })),
  );
  const named = ports.flatMap(({ path, name }): [string, string][] =>
    name === undefined ? [] : [[`${path}.name`, name]],
  );
  const numbers = ports.map(({ path, containerPort, protocol = "TCP" }): [string, string] => [
    `${path}.containerPort`,
    `${containerPort}/${protocol}`,
  ]);
  return [...findDoubles(named), ...findDoubles(numbers)];
}

function checkContainer({ path, container }: Located, spec: TeststackSpec): string[] {
  const volumes = new Set(spec.volumes?.map((volume) => volume.name));
  const variables = container.env ?? [];
  return [
    ...(container.volumeMounts ?? []).flatMap(({ name }, index) =>
      volumes.has(name) ? [] : [`${path}.volumeMounts[${index}].name: there is no volume ${name}: add it to volumes`],
    ),
    ...findDoubles(variables.map(({ name }, index) => [`${path}.env[${index}].name`, name])),
    ...variables.flatMap(({ name }, index) =>
      INJECTED.has(name) ? [`${path}.env[${index}].name: remove ${name}: ${INJECTED.get(name)}`] : [],
    ),
    ...PROBES.flatMap((probe) => checkProbe(`${path}.${probe}`, container, container[probe])),
  ];
}

function checkProbe(path: string, container: Container, probe: Lasting["readinessProbe"]): string[] {
  const kind = probe?.httpGet === undefined ? "tcpSocket" : "httpGet";
  const port = probe?.[kind]?.port;
  if (typeof port !== "string" || container.ports?.some(({ name }) => name === port)) return [];
  return [`${path}.${kind}.port: the container has no port named ${port}: add it to its ports, or give the number`];
}

function checkRunner({ containers, sidecars, runner }: TeststackSpec): string[] {
  const container = [...containers, ...sidecars].find(({ name }) => name === runner.container);
  if (container === undefined) {
    return [`runner.container: there is no ${runner.container} among containers and sidecars: name one of them`];
  }
  const declared = container.ports?.some(
    ({ containerPort, protocol }) => containerPort === runner.port && protocol !== "UDP",
  );
  return declared ? [] : [`runner.port: ${runner.container} has no port ${runner.port}: add it to its ports`];
}

function checkHrefContainers({ containers, sidecars, hrefContainers }: TeststackSpec): string[] {
  const names = new Set([...containers, ...sidecars].map(({ name }) => name));
  return [
    ...findDoubles(hrefContainers.map((name, index) => [`hrefContainers[${index}]`, name])),
    ...hrefContainers.flatMap((name, index) =>
      names.has(name)
        ? []
        : [`hrefContainers[${index}]: there is no ${name} among containers and sidecars: name one of them`],
    ),
  ];
}

function checkLabels({ labels = {} }: TeststackSpec): string[] {
  const reserved = { app: "", ...buildLabels({ installationId: "", teststackId: "" }) };
  return Object.keys(labels)
    .filter((key) => Object.hasOwn(reserved, key))
    .map((key) => `labels["${key}"]: the orchestrator sets this label itself: remove it`);
}
