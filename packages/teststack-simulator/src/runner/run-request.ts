import { missingFieldsText } from "../http/python-text.ts";
import { toSnakeName } from "../http/snake-case.ts";

/** What the simulator uses of the body of `POST /initialise` and `POST /next-test`. */
export interface RunRequest {
  readonly procedureId: string;
  readonly yaml: string;
  readonly csipAusVersion: string;
  readonly pen: number;
  readonly aggregatorPem: string | null;
  readonly devicePem: string | null;
}

/** The fields that must be present, null or not; further ones are ignored. */
const shape = {
  name: "RunRequest",
  fields: {
    run_id: undefined,
    test_definition: { name: "TestDefinition", fields: { test_procedure_id: undefined, yaml_definition: undefined } },
    run_group: {
      name: "RunGroup",
      fields: {
        run_group_id: undefined,
        name: undefined,
        csip_aus_version: undefined,
        test_certificates: { name: "TestCertificates", fields: { aggregator: undefined, device: undefined } },
      },
    },
    test_config: { name: "TestConfig", fields: { subscription_domain: undefined, is_static_url: undefined } },
    test_user: { name: "TestUser", fields: { user_id: undefined, name: undefined } },
  },
} satisfies Shape;

interface Shape {
  readonly name: string;
  readonly fields: Readonly<Record<string, Shape | undefined>>;
}

/**
 * Reads a request in snake_case or camelCase.
 *
 * @throws {Error} with the runner's text of the 400, which may echo the whole body
 */
export function parseRunRequest(body: string): RunRequest {
  const start = "Unable to parse JSON body to RunRequest instance";
  try {
    const request = parseJson(body);
    if (Array.isArray(request)) throw new Error("Expected a single RunRequest, not a list");
    return toRunRequest(checkShape(shape, request));
  } catch (error) {
    throw new Error(`${start} ${error instanceof Error ? error.message : error}`);
  }
}

type Fields = { readonly [name: string]: unknown };

function toRunRequest(request: Fields): RunRequest {
  const definition = request["test_definition"] as Fields;
  const group = request["run_group"] as Fields;
  const certificates = group["test_certificates"] as Fields;
  const config = request["test_config"] as Fields;
  return {
    procedureId: String(definition["test_procedure_id"]),
    yaml: String(definition["yaml_definition"]),
    csipAusVersion: String(group["csip_aus_version"]),
    pen: Number(config["pen"] ?? 0),
    aggregatorPem: toText(certificates["aggregator"]),
    devicePem: toText(certificates["device"]),
  };
}

/** Gives the object with snake_case keys at every depth that the shape knows. */
function checkShape(expected: Shape, input: unknown): Fields {
  if (typeof input !== "object" || input === null || Array.isArray(input)) {
    throw new Error(`Failure parsing \`${expected.name}\`: expected an object`);
  }
  const fields = Object.fromEntries(
    Object.entries(input).map(([key, value]) => {
      const name = toSnakeName(key);
      const inner = expected.fields[name];
      return [name, inner === undefined ? value : checkShape(inner, value)];
    }),
  );
  const missing = Object.keys(expected.fields).filter((name) => !(name in fields));
  if (missing.length === 0) return fields;
  const provided = Object.keys(fields).filter((name) => name in expected.fields);
  throw new Error(missingFieldsText(expected.name, { provided, missing }, input));
}

/** Parses JSON; complains in Python's words, though not always with its position. */
function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    throw new Error(
      body.startsWith("{")
        ? "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"
        : "Expecting value: line 1 column 1 (char 0)",
    );
  }
}

function toText(value: unknown): string | null {
  return value === null ? null : String(value);
}
