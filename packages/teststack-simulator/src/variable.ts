/** How the text of an environment variable becomes a value. */
export interface Kind<TValue> {
  /** Completes the sentence "expected …". */
  readonly expected: string;
  /** Gives undefined for a text that is not of this kind. */
  readonly parse: (text: string) => TValue | undefined;
}

export interface Variable<TValue> {
  readonly name: string;
  readonly kind: Kind<TValue>;
  /** The value where the variable is unset or empty. */
  readonly initial: TValue;
  readonly meaning: string;
}

export type VariableTable = Readonly<Record<string, Variable<unknown>>>;
export type ValuesOf<TTable extends VariableTable> = { -readonly [Key in keyof TTable]: TTable[Key]["initial"] };

export const text: Kind<string> = { expected: "a text", parse: (given) => given };
export const flag: Kind<boolean> = {
  expected: "true or false",
  parse: (given) => ({ true: true, false: false })[given],
};
export const count: Kind<number> = {
  expected: "a whole number from 0",
  parse: (given) => (/^\d{1,15}$/.test(given) ? Number(given) : undefined),
};
export const seconds: Kind<number> = {
  expected: "a number of seconds from 0",
  parse: (given) => (/^\d{1,9}(\.\d+)?$/.test(given) ? Number(given) : undefined),
};
export const port: Kind<number> = {
  expected: "a port number from 0 to 65535",
  parse: (given) => (/^\d{1,5}$/.test(given) && Number(given) <= 65_535 ? Number(given) : undefined),
};
export const pathPrefix: Kind<string> = {
  expected: "a path that begins with / and has no ? or #",
  parse: (given) => (/^\/[^?#]*$/.test(given) ? given.replace(/\/+$/, "") : undefined),
};

export function oneOf<TChoice extends string>(...choices: TChoice[]): Kind<TChoice> {
  return {
    expected: choices.filter((choice) => choice !== "").join(" or "),
    parse: (given) => choices.find((choice) => choice === given),
  };
}

export function variable<TValue>(name: string, kind: Kind<TValue>, initial: TValue, meaning: string): Variable<TValue> {
  return { name, kind, initial, meaning };
}

/** Reads every variable of a table, and tells all that cannot be read at once, each by its name. */
export function readVariables<TTable extends VariableTable>(
  table: TTable,
  source: Readonly<Record<string, string | undefined>>,
): { values: ValuesOf<TTable>; mistakes: string[] } {
  const mistakes: string[] = [];
  const values = Object.entries(table).map(([key, { name, kind, initial }]) => {
    const given = source[name];
    if (given === undefined || given === "") return [key, initial];
    const value = kind.parse(given);
    if (value === undefined) mistakes.push(`${name}: expected ${kind.expected}, found ${JSON.stringify(given)}`);
    return [key, value];
  });
  return { values: Object.fromEntries(values) as ValuesOf<TTable>, mistakes };
}
