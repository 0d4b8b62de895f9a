import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { test } from "node:test";
import type { Item, MultiResult } from "../../src/memcached/connection/item.ts";
import { KeyList } from "../../src/memcached/protocol/keys.ts";
import { type ItemsByKey, MultiGet, runsOf } from "../../src/memcached/multi_get.ts";

const even = (key: string): string => Number(key) % 2 === 0 ? "even" : "odd";

test("runsOf() gives each key once to its server, in order, and a place to each", () => {
  const places: ItemsByKey = new Map();
  const runs = runsOf(["1", "2", "1", "10", "é", "2"], places, (key) => key === "é" ? "odd" : even(key));
  assertEquals(runs.map(([server, { keys }]) => [server, keys]), [["odd", ["1", "é"]], ["even", ["2", "10"]]]);
  assertEquals([...places], [["1", undefined], ["2", undefined], ["10", undefined], ["é", undefined]]);
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

function gathering(places: ItemsByKey, runs: number, signal?: AbortSignal): [MultiGet, Promise<MultiResult>] {
  let made!: MultiGet;
  const result = new Promise<MultiResult>((resolve, reject) => {
    made = new MultiGet(places, runs, signal, resolve, reject);
  });
  return [made, result];
}

test("MultiGet gives what came, in the order of the keys, once all runs have ended", async () => {
  const places: ItemsByKey = new Map([["a", undefined], ["b", undefined], ["c", undefined]]);
  const [multiGet, result] = gathering(places, 2);
  const [first, second] = [
    multiGet.callbackOf("first", new KeyList(["a", "b"])),
    multiGet.callbackOf("second", new KeyList(["c"])),
  ];
  places.set("c", item("c"));
  second.resolve(undefined);
  places.set("a", item("a"));
  let settled = false;
  result.then(() => settled = true);
  await Promise.resolve();
  assertEquals(settled, false);
  first.resolve(undefined);
  assertEquals([...(await result).keys()], ["a", "c"]);
  assertEquals((await result).failed.size, 0);
});

test("MultiGet names the servers that failed, gives nothing of theirs, and has nothing to wait for without runs", async () => {
  const places: ItemsByKey = new Map([["a", item("a")], ["b", item("b")], ["c", undefined]]);
  const [multiGet, result] = gathering(places, 2);
  multiGet.callbackOf("one", new KeyList(["a"])).resolve(undefined);
  multiGet.callbackOf("two", new KeyList(["b", "c"])).reject(new Error("gone"));
  const found = await result;
  assertEquals([[...found.keys()], [...found.failed]], [["a"], [["two", new Error("gone")]]]);
  assertEquals((await gathering(new Map(), 0)[1]).size, 0);
});

test("MultiGet rejects all of it when the signal has fired", async () => {
  const controller = new AbortController();
  const [multiGet, result] = gathering(new Map([["a", undefined]]), 2, controller.signal);
  const [one, two] = [multiGet.callbackOf("one", new KeyList(["a"])), multiGet.callbackOf("two", new KeyList(["b"]))];
  controller.abort(new Error("enough"));
  one.reject(controller.signal.reason);
  two.reject(controller.signal.reason);
  await assertRejects(() => result, Error, "enough");
});
