import { expect, test } from "vitest";
import { missingFieldsText, toPythonJson } from "./python-text.ts";

test("writes JSON as Python does", () => {
  const value = { a: [1, { b: null }], c: [], d: {}, e: "x: [y,\n z] é€😀" };
  const text = '{"a": [1, {"b": null}], "c": [], "d": {}, "e": "x: [y,\\n z] \\u00e9\\u20ac\\ud83d\\ude00"}';
  expect(toPythonJson(value)).toBe(text);
});

test("enumerates what is missing as Python does", () => {
  const reason = (missing: string[]): string =>
    missingFieldsText("T", { provided: [], missing }, {}).split("error: ")[1] ?? "";
  expect(reason(["a"])).toBe("T.__init__() missing 1 required positional argument: 'a'");
  expect(reason(["a", "b"])).toBe("T.__init__() missing 2 required positional arguments: 'a' and 'b'");
  expect(reason(["a", "b", "c"])).toBe("T.__init__() missing 3 required positional arguments: 'a', 'b', and 'c'");
});
