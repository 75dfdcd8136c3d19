import type { KubernetesObject } from "../cluster-api.ts";
import { isObject } from "../json.ts";
import { faultsOfName, type NameFormName } from "./names.ts";
import { type Place, placesAt } from "./places.ts";
import { invalid, type Problem, required } from "./problem.ts";

/** Looks at the value of one place; an absent value is `undefined`. */
export type Rule = (value: unknown, place: Place, object: KubernetesObject) => Problem[];

/** Rules by pattern, looked at in order. */
export type Rules = Readonly<Record<string, Rule | readonly Rule[]>>;

export function checkRules(object: KubernetesObject, rules: Rules): Problem[] {
  return Object.entries(rules).flatMap(([pattern, rule]) =>
    placesAt(object, pattern).flatMap((place) =>
      [rule].flat().flatMap((each: Rule) => each(place.parent[place.field], place, object)),
    ),
  );
}

/** The same rules for a part of an object; what a rule says of its siblings stays right. */
export function rulesUnder(prefix: string, rules: Rules): Rules {
  return Object.fromEntries(Object.entries(rules).map(([pattern, rule]) => [`${prefix}.${pattern}`, rule]));
}

const isMissing = (value: unknown): boolean =>
  value === undefined || value === null || value === "" || (Array.isArray(value) && value.length === 0);

export function needed(detail?: string): Rule {
  return (value, { path }) => (isMissing(value) ? [required(path, detail)] : []);
}

/** Says nothing of an absent value. */
function whenThere(rule: Rule): Rule {
  return (value, place, object) => (isMissing(value) ? [] : rule(value, place, object));
}

export function named(form: NameFormName): Rule {
  return whenThere((value, { path }) => faultsOfName(String(value), form).map((fault) => invalid(path, value, fault)));
}

export function oneOf(...values: string[]): Rule {
  return (value, { path }) => {
    if (value === undefined || values.includes(String(value))) return [];
    return [unsupported(path, value, values)];
  };
}

export function unsupported(field: string, value: unknown, values: readonly string[]): Problem {
  const detail = `supported values: ${values.map((name) => JSON.stringify(name)).join(", ")}`;
  return { field, type: "Unsupported value", value: value ?? "", detail };
}

export function atLeast(least: number): Rule {
  return whenThere((value, { path }) =>
    Number(value) < least ? [invalid(path, value, `must be greater than or equal to ${least}`)] : [],
  );
}

export const isPort: Rule = whenThere((value, { path }) =>
  typeof value === "number" && (value < 1 || value > 65_535)
    ? [invalid(path, value, "must be between 1 and 65535, inclusive")]
    : [],
);

/** For a list: no two items have the same value in a field. */
export function uniqueBy(field: string): Rule {
  return (list, { path }) => {
    if (!Array.isArray(list)) return [];
    const values = list.map((item: unknown) => (isObject(item) ? item[field] : undefined));
    return values.flatMap((value, index): Problem[] =>
      value !== undefined && values.indexOf(value) < index
        ? [{ field: `${path}[${index}].${field}`, type: "Duplicate value", value }]
        : [],
    );
  };
}
