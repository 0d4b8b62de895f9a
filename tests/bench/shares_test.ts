import { assert, assertThrows } from "@std/assert";
import { test } from "node:test";
import { Circle, loads, ringOf, serversOf } from "../../bench/fleet/shares.ts";
import { Zipf } from "../../bench/fleet/zipf.ts";

const names = Array.from({ length: 20 }, (_, n) => `10.0.0.${n}`);
const sum = (numbers: Float64Array) => numbers.reduce((total, number) => total + number, 0);

test("a Circle's points are the ring's, and its shares are one in all", () => {
  const ring = ringOf(names);
  const circle = new Circle(names, ring.points);
  const keys = Array.from({ length: 2000 }, (_, n) => `key ${n}`);
  circle.check(ring, keys);
  assert(Math.abs(sum(circle.shares) - 1) < 1e-12);
  assertThrows(() => circle.check(ringOf(names.toReversed()), keys), Error, "another server");
});

test("loads() gives all of the load away, and the first key's to its own server", () => {
  const ring = ringOf(names);
  const { shares } = new Circle(names, ring.points);
  const zipf = new Zipf(1e6, 1);
  const servers = serversOf(ring, 1000, (rank) => `key ${rank}`);
  const load = loads(zipf, servers, shares);
  assert(Math.abs(sum(load) - 1) < 1e-9);
  assert(load[servers[0]!]! > zipf.probability(1));
});
