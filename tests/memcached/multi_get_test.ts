import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { test } from "node:test";
import type { Item, MultiResult } from "../../src/memcached/connection/item.ts";
import { KeyList } from "../../src/memcached/protocol/keys.ts";
import { gather, type ItemsByKey, runsOf } from "../../src/memcached/multi_get.ts";

const even = (key: string): string => Number(key) % 2 === 0 ? "even" : "odd";

test("runsOf() gives each key once to its server, in order, and a place to each", () => {
  const items: ItemsByKey = new Map();
  const runs = runsOf(["1", "2", "1", "10", "é", "2"], items, (key) => key === "é" ? "odd" : even(key));
  assertEquals(runs.map(([server, { keys }]) => [server, keys]), [["odd", ["1", "é"]], ["even", ["2", "10"]]]);
  assertEquals([...items], [["1", undefined], ["2", undefined], ["10", undefined], ["é", undefined]]);
  assertEquals(runsOf([], new Map(), even), []);
  for (const [bad, text] of [["a b", '"a b"'], [1, "number"], [Symbol("a"), "symbol"], ["", '""']] as const) {
    assertThrows(() => runsOf(["1", bad as string], new Map(), even), TypeError, text);
  }
});

test("runsOf() begins another run after a thousand keys of a server", () => {
  const runs = runsOf(Array.from({ length: 4100 }, (_, n) => String(n)), new Map(), even);
  assertEquals(runs.map(([server, { keys }]) => [server, keys.length]), [
    ["even", 1000],
    ["odd", 1000],
    ["even", 1000],
    ["odd", 1000],
    ["even", 50],
    ["odd", 50],
  ]);
  assertEquals(runs.flatMap(([, { keys }]) => keys).length, 4100);
});

const item = (key: string): Item => ({ key }) as Item;

type CallbackOf = ReturnType<typeof gather>;

function gathering(items: ItemsByKey, runs: number, signal?: AbortSignal): [CallbackOf, Promise<MultiResult>] {
  let callbackOf!: CallbackOf;
  const result = new Promise<MultiResult>((resolve, reject) => {
    callbackOf = gather(items, runs, signal, resolve, reject);
  });
  return [callbackOf, result];
}

test("gather() gives what came, in the order of the keys, once all runs have ended", async () => {
  const items: ItemsByKey = new Map([["a", undefined], ["b", undefined], ["c", undefined]]);
  const [callbackOf, result] = gathering(items, 2);
  const [first, second] = [
    callbackOf("first", new KeyList(["a", "b"])),
    callbackOf("second", new KeyList(["c"])),
  ];
  items.set("c", item("c"));
  second.resolve(undefined);
  items.set("a", item("a"));
  let settled = false;
  result.then(() => settled = true);
  await Promise.resolve();
  assertEquals(settled, false);
  first.resolve(undefined);
  assertEquals([...(await result).keys()], ["a", "c"]);
  assertEquals((await result).failed.size, 0);
});

test("gather() names the servers that failed, gives nothing of theirs, and has nothing to wait for without runs", async () => {
  const items: ItemsByKey = new Map([["a", item("a")], ["b", item("b")], ["c", undefined]]);
  const [callbackOf, result] = gathering(items, 2);
  callbackOf("one", new KeyList(["a"])).resolve(undefined);
  callbackOf("two", new KeyList(["b", "c"])).reject(new Error("gone"));
  const found = await result;
  assertEquals([[...found.keys()], [...found.failed]], [["a"], [["two", new Error("gone")]]]);
  assertEquals((await gathering(new Map(), 0)[1]).size, 0);
});

test("gather() rejects all of it when the signal has fired", async () => {
  const controller = new AbortController();
  const [callbackOf, result] = gathering(new Map([["a", undefined]]), 2, controller.signal);
  const [one, two] = [callbackOf("one", new KeyList(["a"])), callbackOf("two", new KeyList(["b"]))];
  controller.abort(new Error("enough"));
  one.reject(controller.signal.reason);
  two.reject(controller.signal.reason);
  await assertRejects(() => result, Error, "enough");
});
