import type { KubernetesObject } from "../cluster-api.ts";
import { findAt } from "../json.ts";
import { badRequest, type StatusError } from "../status-error.ts";

/** Tells whether an object is meant. */
export type Selector = (object: KubernetesObject) => boolean;

export const everything: Selector = () => true;

const LABEL_KEY = /^([a-z0-9.-]+\/)?[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/;
const TERM = /^(!?)\s*([^\s=!,()]+)\s*(.*)$/;
const COMPARISON = /^(==|=|!=)\s*([^\s=!,()]*)$/;
const MEMBERSHIP = /^(in|notin)\s*\(([^()]*)\)$/;

type Labels = { [name: string]: string };
type LabelTest = (labels: Labels) => boolean;

/**
 * Parses a label selector as `kubectl -l` takes it: `a=b,c!=d,e,!f,g in (h,i),j notin (k)`.
 *
 * @throws {StatusError} 400 BadRequest when it cannot be understood
 */
export function parseLabelSelector(text: string): Selector {
  if (text.trim() === "") return everything;
  // A comma between parentheses belongs to a set.
  const tests = text.split(/,(?![^(]*\))/).map(parseLabelTerm);
  return ({ metadata }) => tests.every((test) => test(metadata.labels ?? {}));
}

function parseLabelTerm(term: string): LabelTest {
  const [, not, key = "", rest = ""] = TERM.exec(term.trim()) ?? [];
  if (!LABEL_KEY.test(key)) throw cannotParse(term.trim(), "identifier");
  if (rest === "") return (labels) => Object.hasOwn(labels, key) === (not === "");
  const [, sign, value] = COMPARISON.exec(rest) ?? [];
  if (sign !== undefined) return (labels) => (labels[key] === value) === (sign !== "!=");
  const [, set, members = ""] = MEMBERSHIP.exec(rest) ?? [];
  if (set === undefined) {
    const [operator, next = ""] = rest.split(/\s+/);
    throw operator === "in" || operator === "notin"
      ? badRequest(`unable to parse requirement: found '${next}' expected: '('`)
      : cannotParse(rest, "in, notin, =, ==, !=, gt, lt");
  }
  const values = members.split(",").map((member) => member.trim());
  return (labels) => values.includes(labels[key] ?? "\0") === (set === "in");
}

function cannotParse(found: string, expected: string): StatusError {
  return badRequest(`unable to parse requirement: found '${found}', expected: ${expected}`);
}

/** A selector as objects hold it (`spec.selector.matchLabels` and `matchExpressions`). */
export interface LabelSelector {
  matchLabels?: Labels | undefined;
  matchExpressions?: { key: string; operator: string; values?: string[] }[] | undefined;
}

/** Tells whether labels fit a selector as objects hold it. An empty one fits all. */
export function fitsLabels(selector: LabelSelector, labels: Labels = {}): boolean {
  const { matchLabels = {}, matchExpressions = [] } = selector;
  return (
    Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
    matchExpressions.every(({ key, operator, values = [] }) => {
      if (operator === "Exists" || operator === "DoesNotExist") {
        return Object.hasOwn(labels, key) === (operator === "Exists");
      }
      return values.includes(labels[key] ?? "\0") === (operator === "In");
    })
  );
}

/** Writes labels as a label selector. */
export function formatLabels(labels: Labels): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(",");
}

/**
 * Parses a field selector (`status.phase=Running,metadata.name!=a`) over the fields that a resource lets select.
 *
 * @throws {StatusError} 400 BadRequest when it cannot be understood or names another field
 */
export function parseFieldSelector(text: string, fields: readonly string[]): Selector {
  if (text.trim() === "") return everything;
  const known = ["metadata.name", "metadata.namespace", ...fields];
  const tests = text.split(",").map((term): Selector => {
    const [, field, sign, value = ""] = /^\s*([^=!]+?)(==|=|!=)(.*)$/.exec(term) ?? [];
    if (field === undefined) throw badRequest(`invalid selector: '${text}'; can't understand '${term}'`);
    if (!known.includes(field)) {
      throw badRequest(
        fields.length > 0
          ? `field label not supported: ${field}`
          : `"${field}" is not a known field selector: only "metadata.name", "metadata.namespace"`,
      );
    }
    return (object) => (String(findAt(object, field) ?? "") === value) === (sign !== "!=");
  });
  return (object) => tests.every((test) => test(object));
}
