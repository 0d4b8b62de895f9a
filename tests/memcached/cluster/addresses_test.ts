import { assertEquals, assertThrows } from "@std/assert";
import { test } from "node:test";
import { parseServers } from "../../../src/memcached/cluster/addresses.ts";

const one = (text: string) => parseServers(text)[0]!;

test("parseServers() reads every form of a server's name", () => {
  assertEquals(one("cache"), {
    name: "cache:11211",
    address: { host: "cache", port: 11211 },
    ring: { name: "cache", weight: 1 },
  });
  assertEquals(one("10.0.0.1:11212 3"), {
    name: "10.0.0.1:11212",
    address: { host: "10.0.0.1", port: 11212 },
    ring: { name: "10.0.0.1:11212", weight: 3 },
  });
  assertEquals(one("[::1]"), {
    name: "[::1]:11211",
    address: { host: "::1", port: 11211 },
    ring: { name: "::1", weight: 1 },
  });
  assertEquals(one("[fe80::1]:11212").ring.name, "fe80::1:11212");
  assertEquals(one("/run/memcached.sock 2"), {
    name: "/run/memcached.sock",
    address: { path: "/run/memcached.sock" },
    ring: { name: "/run/memcached.sock:0", weight: 2 },
  });
});

test("parseServers() takes an array, or one string with commas", () => {
  const names = ["a:11211", "b:1"];
  assertEquals(parseServers("a, b:1").map(({ name }) => name), names);
  assertEquals(parseServers(["a", "b:1"]).map(({ name }) => name), names);
  assertEquals(parseServers(undefined).map(({ name }) => name), ["127.0.0.1:11211"]);
});

test("parseServers() takes no rest of a URL and no login for a socket's path, and repeats none of it", () => {
  for (
    const text of [
      "//app:secret@host",
      "//host:11211",
      "/app:secret@host",
      "//app:secret@host/run/x 2",
      "///run/x.sock",
    ]
  ) {
    const error = assertThrows(() => parseServers(["a", text]), TypeError, "`servers`") as Error;
    assertEquals(error.message.includes("secret"), false);
  }
  assertEquals(parseServers("/run/memcached@1.sock").map(({ name }) => name), ["/run/memcached@1.sock"]);
});

test("parseServers() refuses what it cannot read, and quotes it", () => {
  for (
    const text of [
      "",
      " ",
      "a,",
      "a:0",
      "a:65536",
      "a:x",
      "a:",
      "::1",
      "a 0",
      "a 1.5",
      "a x",
      "a 1 2",
      "http://a",
      "[a]",
    ]
  ) {
    assertThrows(() => parseServers(text), TypeError, "`servers`", text);
  }
  assertThrows(() => parseServers([]), TypeError, "`servers`");
  assertThrows(() => parseServers(["a", 1] as unknown as string[]), TypeError, "`servers`");
  assertThrows(() => parseServers(5 as unknown as string), TypeError, "`servers`");
  assertThrows(() => parseServers(null as unknown as string), TypeError, "`servers`");
  assertThrows(() => parseServers("a:1, a:1 2"), TypeError, "twice");
  assertThrows(() => parseServers("a, a:11211"), TypeError, "twice");
});
