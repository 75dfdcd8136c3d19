import { expect, test } from "vitest";
import { fieldType } from "../schema/decode.ts";
import { jsonPatch, PatchError, type PatchOperation } from "./json-patch.ts";
import { mergeKeys } from "./merge-keys.ts";
import { mergePatch } from "./merge-patch.ts";
import { strategicMerge } from "./strategic-merge.ts";

test.each<[string, unknown, unknown, unknown]>([
  ["replaces and adds", { a: 1, b: { c: 2 } }, { a: 3, b: { d: 4 } }, { a: 3, b: { c: 2, d: 4 } }],
  ["null removes", { a: 1, b: { c: 2 } }, { a: null, b: { c: null } }, { b: {} }],
  ["lists are replaced", { a: [1, 2] }, { a: [3] }, { a: [3] }],
  ["an object replaces what is none", { a: [1] }, { a: { b: null, c: 1 } }, { a: { c: 1 } }],
  ["what is no object replaces all", { a: 1 }, "x", "x"],
])("merge patch: %s", (_, target, patch, result) => expect(mergePatch(target, patch)).toEqual(result));

test.each<[string, unknown, PatchOperation[], unknown]>([
  ["add to an object", { a: 1 }, [{ op: "add", path: "/b", value: 2 }], { a: 1, b: 2 }],
  ["add into a list", { a: [1, 3] }, [{ op: "add", path: "/a/1", value: 2 }], { a: [1, 2, 3] }],
  ["append", { a: [1] }, [{ op: "add", path: "/a/-", value: 2 }], { a: [1, 2] }],
  [
    "remove",
    { a: [1, 2], b: 1 },
    [
      { op: "remove", path: "/a/0" },
      { op: "remove", path: "/b" },
    ],
    { a: [2] },
  ],
  ["replace", { a: { b: 1 } }, [{ op: "replace", path: "/a/b", value: { c: 2 } }], { a: { b: { c: 2 } } }],
  ["replace all", { a: 1 }, [{ op: "replace", path: "", value: [] }], []],
  ["escapes", { "a/b": { "c~d": 1 } }, [{ op: "replace", path: "/a~1b/c~0d", value: 2 }], { "a/b": { "c~d": 2 } }],
  ["move", { a: { b: 1 } }, [{ op: "move", from: "/a/b", path: "/c" }], { a: {}, c: 1 }],
  ["copy", { a: [1] }, [{ op: "copy", from: "/a", path: "/b" }], { a: [1], b: [1] }],
  ["test", { a: { b: [1] } }, [{ op: "test", path: "/a", value: { b: [1] } }], { a: { b: [1] } }],
])("JSON patch: %s", (_, document, patch, result) => expect(jsonPatch(document, patch)).toEqual(result));

test.each<[PatchOperation]>([
  [{ op: "test", path: "/a", value: 2 }],
  [{ op: "remove", path: "/none" }],
  [{ op: "replace", path: "/none", value: 1 }],
  [{ op: "add", path: "/none/b", value: 1 }],
  [{ op: "add", path: "/list/2", value: 1 }],
  [{ op: "remove", path: "/list/-" }],
  [{ op: "remove", path: "/list/01" }],
  [{ op: "add", path: "a", value: 1 }],
  [{ op: "copy", from: "/none", path: "/b" }],
  [{ op: "other", path: "/a" }],
])("JSON patch refuses %j", (operation) => {
  const document = { a: 1, list: [0] };
  expect(() => jsonPatch(document, [{ op: "add", path: "/b", value: 1 }, operation])).toThrow(PatchError);
  expect(document).toEqual({ a: 1, list: [0] });
});

const container = (name: string, more: object = {}) => ({ name, image: "i", ...more });

test.each<[string, object, object, object]>([
  [
    "merges lists by key",
    { containers: [container("a"), container("b", { env: [{ name: "X", value: "1" }] })] },
    { containers: [{ name: "b", env: [{ name: "Y", value: "2" }] }, container("c")] },
    {
      containers: [
        container("a"),
        container("b", {
          env: [
            { name: "Y", value: "2" },
            { name: "X", value: "1" },
          ],
        }),
        container("c"),
      ],
    },
  ],
  [
    "removes an item",
    { containers: [container("a"), container("b")] },
    { containers: [{ name: "a", $patch: "delete" }] },
    { containers: [container("b")] },
  ],
  [
    "replaces a list",
    { volumes: [{ name: "a", emptyDir: {} }] },
    { volumes: [{ $patch: "replace" }, { name: "b" }] },
    { volumes: [{ name: "b" }] },
  ],
  [
    "replaces an object",
    { securityContext: { runAsUser: 1 } },
    { securityContext: { $patch: "replace", runAsGroup: 2 } },
    { securityContext: { runAsGroup: 2 } },
  ],
  ["null removes", { hostname: "a", nodeName: "b" }, { hostname: null }, { nodeName: "b" }],
  [
    "lists without a key are replaced",
    { tolerations: [{ key: "a" }] },
    { tolerations: [{ key: "b" }] },
    { tolerations: [{ key: "b" }] },
  ],
  [
    "keeps the fields named",
    { volumes: [{ name: "a", emptyDir: {} }] },
    { volumes: [{ name: "a", $retainKeys: ["name", "secret"], secret: { secretName: "s" } }] },
    { volumes: [{ name: "a", secret: { secretName: "s" } }] },
  ],
  [
    "orders the items named",
    { containers: [container("a"), container("x"), container("b")] },
    { "$setElementOrder/containers": [{ name: "b" }, { name: "c" }, { name: "a" }], containers: [container("c")] },
    { containers: [container("x"), container("b"), container("c"), container("a")] },
  ],
])("strategic merge patch: %s", (_, target, patch, result) => {
  expect(strategicMerge("V1PodSpec", target, { ...patch })).toEqual(result);
});

test("strategic merge patch of plain lists: finalizers are added and taken away", () => {
  const target = { finalizers: ["a/a", "b/b"] };
  const patch = { finalizers: ["c/c"], "$deleteFromPrimitiveList/finalizers": ["a/a"] };
  expect(strategicMerge("V1ObjectMeta", target, patch)).toEqual({ finalizers: ["c/c", "b/b"] });
});

test("every merge key names a list that there is", () => {
  for (const path of Object.keys(mergeKeys)) {
    const [model = "", field = ""] = path.split(".");
    expect(fieldType(model, field), path).toMatch(/^\[.*\]$/);
  }
});
