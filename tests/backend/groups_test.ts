import { assertEquals } from "@std/assert";
import { test } from "node:test";
import { targetOf } from "../../src/backend/call.ts";
import { Counters } from "../../src/backend/counters.ts";
import { distinctGroups } from "../../src/backend/entry_options.ts";
import { Keys } from "../../src/key/key.ts";

test("an empty array of groups that its caller fills later names no group, and no key of the store", () => {
  const mine: string[] = [];
  const keys = new Keys("shop");
  const target = targetOf("k", { group: mine }, { keys, counters: new Counters(keys, []) });
  mine.push("session:42");
  assertEquals(target.counters, []);
});

test("distinctGroups() sorts names, drops double ones, and adds those of every entry", () => {
  assertEquals(distinctGroups(["b", "a", "b"]), ["a", "b"]);
  assertEquals(distinctGroups("b", ["a", "b"]), ["a", "b"]);
  assertEquals([distinctGroups(undefined, ["x"]), distinctGroups([], ["x"])], [["x"], ["x"]]);
});
