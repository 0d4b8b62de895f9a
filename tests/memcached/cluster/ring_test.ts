import { assertEquals } from "@std/assert";
import { test } from "node:test";
import { Ring } from "../../../src/memcached/cluster/ring.ts";
import { parseServers } from "../../../src/memcached/cluster/addresses.ts";
import vectors from "../../vectors/ketama_vectors.json" with { type: "json" };

const ring = (servers: string | readonly string[]) => new Ring(parseServers(servers).map(({ ring }) => ring));
const nameOf = (vector: (typeof vectors.vectors)[number]) =>
  vector.servers.map(({ host, port, weight }) => `${host}:${port} ${weight}`);

for (const vector of vectors.vectors) {
  test(`Ring puts every key where libmemcached does: ${vector.set}`, () => {
    const own = ring(nameOf(vector));
    const chosen = vectors.keys.map((key) => own.serverOf(key).toString(36)).join("");
    assertEquals(chosen, vector.chosen);
    if (vector.pointsPerServer !== undefined) {
      assertEquals(own.points, vector.pointsPerServer.reduce((sum, points) => sum + points));
    }
  });
}

test("Ring gives 156 points, not 160, where single precision falls just below", () => {
  for (const count of [25, 47, 50, 55]) {
    assertEquals(ring(Array.from({ length: count }, (_, n) => `10.0.0.${n + 1}`)).points, 156 * count, `${count}`);
  }
  for (const count of [2, 3, 4, 5, 24, 26]) {
    assertEquals(ring(Array.from({ length: count }, (_, n) => `10.0.0.${n + 1}`)).points, 160 * count, `${count}`);
  }
});

test("Ring needs no points for a single server", () => {
  const own = ring("10.0.0.1 7");
  assertEquals([own.points, own.serverOf("anything")], [0, 0]);
});

test("Ring does not care about the order of the servers", () => {
  const [some, other] = [["10.0.0.1", "10.0.0.2", "10.0.0.3:11212"], ["10.0.0.3:11212", "10.0.0.1", "10.0.0.2"]];
  const [one, two] = [ring(some), ring(other)];
  for (let n = 0; n < 1000; n++) assertEquals(some[one.serverOf(`k${n}`)], other[two.serverOf(`k${n}`)]);
});

test("Ring moves only the keys of a server that goes", () => {
  const all = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"];
  const [before, after] = [ring(all), ring(all.slice(0, 3))];
  for (let n = 0; n < 2000; n++) {
    const server = before.serverOf(`k${n}`);
    if (server !== 3) assertEquals(after.serverOf(`k${n}`), server);
  }
});

test("Ring hashes a key as UTF-8 and places on either side of its last point", () => {
  const own = ring(["a", "b"]);
  const seen = new Set(Array.from({ length: 500 }, (_, n) => own.serverOf(`clé-日本-${n}`)));
  assertEquals([...seen].sort(), [0, 1]);
});
