import { expect, test } from "vitest";
import { escapePath, parseRequestTarget } from "./request-target.ts";

test.each([
  ["/", "/", ""],
  ["/a/b?x=/../y#z", "/a/b", "x=/../y"],
  ["/a#?x", "/a", ""],
  ["//a///b//", "/a/b/", ""],
  ["/a/./b/.", "/a/b/", ""],
  ["/a/b/..", "/a/", ""],
  ["/a/../b", "/b", ""],
  ["/a/%2e%2E/b", "/b", ""],
  ["/a%2fb%2F..%2fc", "/a/c", ""],
  ["/a/.%2e/b", "/b", ""],
  ["/a/..b/...", "/a/..b/...", ""],
  ["/a%252e%252e/b", "/a%2e%2e/b", ""],
  ["/a%3Fb%23c", "/a?b#c", ""],
  ["/a\\..\\b", "/a\\..\\b", ""],
  ["/%C3%A9", "/\u00c3\u00a9", ""],
  ["/a/..", "/", ""],
])("%s means the path %s", (target, path, query) => {
  expect(parseRequestTarget(target)).toEqual({ path, query });
});

test.each([
  ["http://host/a?b", "host", "/a", "b"],
  ["HTTPS://host:81", "host:81", "/", ""],
  ["http://host?b", "host", "/", "b"],
])("%s names its host", (target, authority, path, query) => {
  expect(parseRequestTarget(target)).toEqual({ authority, path, query });
});

test.each(["", "*", "a", "/..", "/a/../..", "/%2e%2e", "//../", "/%", "/%4", "/%zz", "/%00", "/a%0Ab", "/%7f", "?a"])(
  "%s is refused",
  (target) => expect(parseRequestTarget(target)).toBeUndefined(),
);

test("escapes what must not stand in a request line, and nothing else", () => {
  expect(escapePath("/a b%?#\\\"<>^`{|}\u00e9/~!$&'()*+,;=:@-._")).toBe(
    "/a%20b%25%3F%23%5C%22%3C%3E%5E%60%7B%7C%7D%E9/~!$&'()*+,;=:@-._",
  );
});
