import { expect, test } from "vitest";
import { DecodeError, decode } from "./decode.ts";
import { findDuplicateFields } from "./duplicate-fields.ts";

test("takes what a type has, and tells what it has not", () => {
  const sent = {
    metadata: { name: "a", creationTimestamp: null, labels: {}, nick: "b" },
    spec: {
      containers: [{ name: "c", args: [], resources: { limits: { cpu: 2, memory: "1Gi" } }, portz: 1 }],
      volumes: [{ name: "v", emptyDir: {} }],
    },
    extra: { deep: 1 },
  };
  expect(decode("V1Pod", sent)).toEqual({
    value: {
      metadata: { name: "a" },
      spec: {
        containers: [{ name: "c", resources: { limits: { cpu: "2", memory: "1Gi" } } }],
        volumes: [{ name: "v", emptyDir: {} }],
      },
    },
    unknown: ["metadata.nick", "spec.containers[0].portz", "extra"],
  });
});

test.each([
  [
    "V1ConfigMap",
    { data: { a: 1 } },
    "json: cannot unmarshal number into Go struct field ConfigMap.data of type string",
  ],
  [
    "V1Pod",
    { spec: { containers: {} } },
    "json: cannot unmarshal object into Go struct field PodSpec.spec.containers of type []v1.Container",
  ],
  ["V1Pod", { spec: [] }, "json: cannot unmarshal array into Go struct field Pod.spec of type v1.PodSpec"],
  [
    "V1StatefulSet",
    { spec: { replicas: 1.5 } },
    "json: cannot unmarshal number into Go struct field StatefulSetSpec.spec.replicas of type int32",
  ],
  [
    "V1Secret",
    { immutable: "yes" },
    "json: cannot unmarshal string into Go struct field Secret.immutable of type bool",
  ],
  ["V1Secret", { data: { a: "YQ=" } }, "illegal base64 data at input byte 0"],
  ["V1Secret", { data: { a: "YWFh%" } }, "illegal base64 data at input byte 4"],
  ["V1Pod", [], "json: cannot unmarshal array into Go value of type v1.Pod"],
])("%s refuses %j", (model, sent, message) => {
  expect(() => decode(model, sent)).toThrow(new DecodeError(message));
});

test.each([
  ['{"a":1,"b":{"a":2},"c":[{"a":3},{"a":4}]}', []],
  ['{"a":1,"a":2}', ["a"]],
  ['{"b":{"c":[{}, {"d":1, "e":"d\\":", "d" : 2}]},"b":0}', ["b.c[1].d", "b"]],
  ['{"a":"x,\\"a\\":1","\\u0061":2}', ["a"]],
])("duplicate fields of %s", (json, paths) => expect(findDuplicateFields(json)).toEqual(paths));
