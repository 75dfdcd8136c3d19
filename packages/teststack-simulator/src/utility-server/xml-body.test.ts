import { expect, test } from "vitest";
import { findXmlRoot, findXmlText, listXmlErrors } from "./xml-body.ts";

test.each([
  ["<a/>", "a"],
  ['<?xml version="1.0"?>\n<!-- <b> -->\n<n:a x="1>0" y=\'2\'><n:b>text</n:b ><c /></n:a>\n', undefined],
  ['<?xml version="1.0"?>\n<!-- <b> -->\n<n:a x="1" y=\'2\'><n:b>text</n:b ><c /></n:a>\n', "n:a"],
  ["", undefined],
  ["text", undefined],
  ["<a>", undefined],
  ["</a>", undefined],
  ["<a></b>", undefined],
  ["<a/><b/>", undefined],
  ["<a/>text", undefined],
  ["<a b=1/>", undefined],
  ["<a><b</a>", undefined],
  ['{"a": "<b/>"}', undefined],
])("the root of %j is %j", (body, root) => {
  expect(findXmlRoot(body)).toBe(root);
});

test("a body is faulty when it is no XML, or none that 2030.5 knows", () => {
  expect(listXmlErrors("")).toEqual([]);
  expect(listXmlErrors('<EndDevice xmlns="urn:ieee:std:2030.5:ns"/>')).toEqual([]);
  expect(listXmlErrors("x".repeat(40))).toEqual([`The provided body '${"x".repeat(32)}'... does NOT parse as XML`]);
  expect(listXmlErrors("<x/>")).toEqual([expect.stringContaining("Element 'x'")]);
});

test("finds the text of an element, whatever its prefix", () => {
  const body = '<n:EndDevice xmlns:n="u"><n:deviceCategory a="b"> 02 </n:deviceCategory><n:lFDI/></n:EndDevice>';
  expect(findXmlText(body, "deviceCategory")).toBe("02");
  expect(findXmlText(body, "sFDI")).toBeUndefined();
});
