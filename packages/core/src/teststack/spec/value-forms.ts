import { z } from "zod";

/** Shortest and longest forms are those that the Kubernetes API server accepts; the messages say what to write. */
function text(pattern: RegExp, maxLength: number, message: string): z.ZodString {
  return z.string().regex(pattern, message).max(maxLength, `must have at most ${maxLength} characters`);
}

const LABEL_MESSAGE = "must be lower-case letters, digits and dashes, beginning and ending with a letter or digit";
const SUBDOMAIN = "[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*";

/** Name of a container or a volume: DNS-1123 label. */
export const dnsLabel = text(/^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$/, 63, LABEL_MESSAGE);

/** Name of an object (ConfigMap, Secret): DNS-1123 subdomain. */
export const objectName = text(new RegExp(`^${SUBDOMAIN}$`), 253, `${LABEL_MESSAGE}; dots in between`);

/** Name of a port: RFC 6335 service name. */
export const portName = text(
  /^(?=.*[a-z])[a-z0-9]+(?:-[a-z0-9]+)*$/,
  15,
  "must be lower-case letters and digits, joined by single dashes, with at least one letter",
);

export const portNumber = z.int().min(1).max(65_535);

export const variableName = text(
  /^[-._a-zA-Z][-._a-zA-Z0-9]*$/,
  253,
  "must be letters, digits, dots, dashes and underscores, not beginning with a digit",
);

/** Key of a ConfigMap or Secret. */
export const dataKey = text(/^[-._a-zA-Z0-9]+$/, 253, "must be letters, digits, dots, dashes and underscores");

const qualifiedName = text(
  new RegExp(`^(?:${SUBDOMAIN}/)?[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$`),
  317,
  "must be name or prefix/name, the name of at most 63 letters, digits, dots, dashes and underscores",
);

const labelValue = text(
  /^(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]*[A-Za-z0-9])?)?$/,
  63,
  "must be letters, digits, dots, dashes and underscores, beginning and ending with a letter or digit",
);

export const labels = z.record(qualifiedName, labelValue);
export const annotations = z.record(qualifiedName, z.string());

/** CSIP-Aus version as in a procedure's `TargetVersions`: `v1.2`, `v1.3-beta/storage`. */
export const csipAusVersion = text(
  /^v[0-9][-A-Za-z0-9.]*(?:\/[-A-Za-z0-9.]+)*$/,
  64,
  "must be a CSIP-Aus version as procedures name it, v1.2 or v1.3-beta/storage",
);

const COMPONENT = "[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*";

/** Image reference after the grammar of distribution: `[registry[:port]/]path[:tag][@digest]`. */
export const imageReference = text(
  new RegExp(
    `^(?:[A-Za-z0-9](?:[-A-Za-z0-9.]*[A-Za-z0-9])?(?::[0-9]+)?/)?${COMPONENT}(?:/${COMPONENT})*` +
      "(?::[A-Za-z0-9_][-A-Za-z0-9_.]{0,127})?(?:@sha256:[a-f0-9]{64})?$",
  ),
  1024,
  "must be an image reference: registry/name:tag or registry/name@sha256:digest, the name in lower case",
);

const QUANTITY = /^(?:\d+\.?\d*|\.\d+)(?:[numkMGTPE]|[KMGTPE]i|[eE][-+]?\d+)?$/;
const QUANTITY_MESSAGE = "must be a quantity: 250m, 1, 0.5, 64Mi, 2Gi";

/** A quantity not below zero, as text; YAML's own numbers are taken too, as kubectl does. */
export const quantity = z
  .union([z.number().min(0, QUANTITY_MESSAGE), z.string().regex(QUANTITY, QUANTITY_MESSAGE)], QUANTITY_MESSAGE)
  .transform(String);

export const seconds = z.int().min(0);
export const positive = z.int().min(1);
export const userId = z.int().min(0);

/** Refinement: the map has exactly one of these fields. */
export function exactlyOneOf(...fields: string[]): [(value: object) => boolean, string] {
  const present = new Set(fields);
  return [
    (value) => Object.keys(value).filter((field) => present.has(field)).length === 1,
    `must have exactly one of ${fields.join(", ")}`,
  ];
}
