/** A form that names have to have: its pattern, its length, and what the API server says of names that have not. */
interface NameForm {
  pattern: RegExp;
  longest: number;
  /** What the length is told in: bytes for labels, characters for names, though both are the same. */
  unit: "bytes" | "characters";
  says: string;
}

const LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const SUBDOMAIN = `${LABEL}(\\.${LABEL})*`;
const LABEL_1035 = "[a-z]([-a-z0-9]*[a-z0-9])?";
const QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const LABEL_VALUE = "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?";
const CONFIG_KEY = "[-._a-zA-Z0-9]+";

function form(pattern: string, length: `${number} ${NameForm["unit"]}`, says: string, examples: string): NameForm {
  const advice = `(e.g. ${examples}, regex used for validation is '${pattern}')`;
  const unit = length.endsWith("bytes") ? "bytes" : "characters";
  const longest = Number.parseInt(length, 10);
  return { pattern: new RegExp(`^${pattern}$`), longest, unit, says: `${says} ${advice}` };
}

const nameForms = {
  /** RFC 1123 label: most parts of objects, and kinds whose name becomes a host name. */
  label: form(
    LABEL,
    "63 characters",
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
    "'my-name',  or '123-abc'",
  ),
  /** RFC 1123 subdomain: most kinds. */
  subdomain: form(
    SUBDOMAIN,
    "253 characters",
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
    "'example.com'",
  ),
  /** RFC 1035 label: Services, in every version before Kubernetes 1.36. */
  label1035: form(
    LABEL_1035,
    "63 characters",
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
    "'my-name',  or 'abc-123'",
  ),
  qualified: form(
    QUALIFIED,
    "63 bytes",
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
    "'MyName',  or 'my.name',  or '123-abc'",
  ),
  labelValue: form(
    LABEL_VALUE,
    "63 bytes",
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
    "'MyValue',  or 'my_value',  or '12345'",
  ),
  configKey: form(
    CONFIG_KEY,
    "253 characters",
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
    "'key.name',  or 'KEY_NAME',  or 'key-name'",
  ),
} satisfies Record<string, NameForm>;

export type NameFormName = keyof typeof nameForms;

/** Says what is wrong with a name; nothing when it is right. */
export function faultsOfName(name: string, formName: NameFormName): string[] {
  const { pattern, longest, unit, says } = nameForms[formName];
  const faults = name.length > longest ? [`must be no more than ${longest} ${unit}`] : [];
  return pattern.test(name) ? faults : [...faults, says];
}

/** Says what is wrong with the key of a label or annotation: a name, or a domain, a slash and a name. */
export function faultsOfKey(key: string): string[] {
  const parts = key.split("/");
  if (parts.length > 2) {
    return [
      `a valid label key ${nameForms.qualified.says.slice("name part ".length)} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ];
  }
  const name = parts.at(-1) ?? "";
  const prefix = parts.length === 2 ? (parts[0] ?? "") : undefined;
  return [
    ...(prefix === "" ? ["prefix part must be non-empty"] : []),
    ...(prefix ? faultsOfName(prefix, "subdomain").map((fault) => `prefix part ${fault}`) : []),
    ...(name === "" ? ["name part must be non-empty"] : []),
    ...faultsOfName(name, "qualified").map((fault) => (fault.startsWith("must") ? `name part ${fault}` : fault)),
  ];
}
