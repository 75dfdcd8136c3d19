import { type ErrorCode, LineCounter, parseDocument, type ScalarTag } from "yaml";
import { OrchestratorError } from "../../errors.ts";
import { describeIssue, explainIssue } from "./describe-issue.ts";
import { findContradictions } from "./find-contradictions.ts";
import { API_VERSION, type TeststackSpec, teststackSpecSchema } from "./schema.ts";

/** Far above any real one: the YAML parser's time grows with the square of it. */
const MAX_LENGTH = 65_536;
const MAX_MISTAKES = 10;

/** Where the parser's own words would not help, or show what may be secret. */
const YAML_MISTAKES: Partial<Record<ErrorCode, string>> = {
  BAD_DQ_ESCAPE: "There is no such escape in double quotes: use single ones",
  MULTIPLE_DOCS: "A second document begins: keep one",
  RESOURCE_EXHAUSTION: "Nested too deeply",
  TAG_RESOLVE_FAILED: "A tag (!name) means nothing here: put text in quotes",
};

/** A file mode of 0400 is what it is in manifests: YAML 1.2 alone would take it for four hundred. */
const octal: ScalarTag = {
  tag: "tag:yaml.org,2002:int",
  default: true,
  test: /^0[0-7]+$/,
  resolve: (digits) => Number.parseInt(digits, 8),
};

/**
 * Reads a `teststack.yaml`. What it returns is complete: each image, volume, port and container that is named is there.
 *
 * @throws {OrchestratorError} `unavailable` with the first ten mistakes, each with its path and what to mend; no value
 * of the text is in the message, except names
 */
export function parseTeststackSpec(text: string): TeststackSpec {
  const content = readYaml(text);
  if (typeof content !== "object" || content === null || Array.isArray(content)) throw broken(["it must be a map"]);
  // In another version any other field may be different: saying more would mislead.
  if (!("apiVersion" in content) || content.apiVersion !== API_VERSION) {
    throw broken([`apiVersion: must be ${API_VERSION}, the only known version`]);
  }
  const parsed = teststackSpecSchema.safeParse(content, { error: explainIssue });
  if (!parsed.success) throw broken(parsed.error.issues.flatMap(describeIssue));
  const contradictions = findContradictions(parsed.data);
  if (contradictions.length > 0) throw broken(contradictions);
  return parsed.data;
}

function readYaml(text: string): unknown {
  if (text.length > MAX_LENGTH) throw broken([`it must be at most ${MAX_LENGTH / 1024} KiB long`]);
  const lineCounter = new LineCounter();
  const document = parseDocument(text, {
    schema: "core",
    customTags: (tags) => [octal, ...tags],
    resolveKnownTags: false,
    prettyErrors: false,
    logLevel: "error",
    lineCounter,
  });
  const [error] = [...document.errors, ...document.warnings];
  if (error !== undefined) {
    const { line, col } = lineCounter.linePos(error.pos[0]);
    // After a colon the parser quotes the text.
    throw broken([`line ${line}, column ${col}: ${YAML_MISTAKES[error.code] ?? error.message.split(":", 1)[0]}`]);
  }
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    throw broken(["its aliases (*name) must stand after their anchors (&name) and be few: write them out"], error);
  }
}

function broken(mistakes: string[], cause?: unknown): OrchestratorError {
  const more = mistakes.length - MAX_MISTAKES;
  const shown = mistakes.slice(0, MAX_MISTAKES).join("; ");
  const rest = more > 0 ? `; and ${more} more` : "";
  return new OrchestratorError("unavailable", `The teststack.yaml cannot be used: ${shown}${rest}.`, { cause });
}
