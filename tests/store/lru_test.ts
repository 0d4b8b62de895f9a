import { test } from "node:test";
import { assertEquals, assertStrictEquals } from "@std/assert";
import { Lru, LruNode } from "../../src/store/memory/lru.ts";

const keys = (lru: Lru<LruNode>) => ["a", "b", "c", "d", "e"].filter((key) => lru.peek(key) !== undefined).join("");

test("Lru drops what was used longest ago, by count", () => {
  const lru = new Lru<LruNode>(Infinity, 3);
  for (const key of ["a", "b", "c"]) lru.put(new LruNode(key, 1));
  lru.use("a");
  lru.put(new LruNode("d", 1));
  assertEquals(keys(lru), "acd");
  lru.peek("c");
  lru.put(new LruNode("e", 1));
  assertEquals(keys(lru), "ade");
  assertEquals(lru.size, 3);
});

test("Lru drops as many as its bytes need", () => {
  const lru = new Lru<LruNode>(100, Infinity);
  for (const key of ["a", "b", "c", "d"]) lru.put(new LruNode(key, 25));
  assertEquals(lru.bytes, 100);
  lru.put(new LruNode("e", 60));
  assertEquals(keys(lru), "de");
  assertEquals(lru.bytes, 85);
});

test("Lru replaces what is under a key, and that counts as its use", () => {
  const lru = new Lru<LruNode>(100, 2);
  const first = new LruNode("a", 90), second = new LruNode("a", 10);
  lru.put(first);
  lru.put(new LruNode("b", 10));
  lru.put(second);
  assertStrictEquals(lru.peek("a"), second);
  assertEquals(lru.bytes, 20);
  lru.put(new LruNode("c", 1));
  assertEquals(keys(lru), "ac");
});

test("Lru forgets one node, or all", () => {
  const lru = new Lru<LruNode>(100, 10);
  const nodes = ["a", "b", "c"].map((key) => new LruNode(key, 10));
  for (const node of nodes) lru.put(node);
  lru.delete(nodes[1]!);
  assertEquals(keys(lru), "ac");
  assertEquals([lru.bytes, lru.size], [20, 2]);
  assertStrictEquals(nodes[1]!.newer, nodes[1], "a node that left still holds a neighbour");
  lru.clear();
  assertEquals([keys(lru), lru.bytes, lru.size], ["", 0, 0]);
  lru.put(new LruNode("d", 5));
  assertEquals([keys(lru), lru.bytes], ["d", 5]);
});

test("Lru behaves like a list that is searched, in a long random walk", () => {
  const lru = new Lru<LruNode>(50, 6);
  const model: LruNode[] = [];
  let seed = 1;
  const below = (n: number) => (seed = seed * 48271 % 2147483647) % n;
  for (let i = 0; i < 5000; i++) {
    const key = String(below(12));
    const at = model.findIndex((node) => node.key === key);
    if (below(3) === 0) {
      const node = new LruNode(key, 1 + below(20));
      lru.put(node);
      if (at >= 0) model.splice(at, 1);
      model.push(node);
      while (model.length > 6 || model.reduce((sum, node) => sum + node.bytes, 0) > 50) model.shift();
    } else if (below(5) === 0 && at >= 0) {
      lru.delete(model.splice(at, 1)[0]!);
    } else {
      assertStrictEquals(lru.use(key), model[at]);
      if (at >= 0) model.push(model.splice(at, 1)[0]!);
    }
    assertEquals(lru.size, model.length);
    assertEquals(lru.bytes, model.reduce((sum, node) => sum + node.bytes, 0));
  }
});
