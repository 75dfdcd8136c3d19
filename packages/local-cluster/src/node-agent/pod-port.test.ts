import { expect, test } from "vitest";
import { podPort } from "./pod-port.ts";

test.each([
  ["no annotation", undefined, 8080],
  ["a port of its own", '{"8080":23456}', 23456],
  ["another port only", '{"80":23456}', 8080],
  ["garbage", "{", 8080],
  ["not an object", "null", 8080],
  ["not a number", '{"8080":"x"}', 8080],
])("a Pod with %s is reached at its port", (_, annotation, expected) => {
  const metadata = annotation === undefined ? {} : { annotations: { "local-cluster/ports": annotation } };
  expect(podPort({ metadata }, 8080)).toBe(expected);
});
