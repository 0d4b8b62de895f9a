/** Replies of meta that were changed by chance: no crash, no hang, no memory, and those before the change are right. */

import { assert } from "@std/assert";
import process from "node:process";
import { test } from "node:test";
import { MetaWire } from "../../../../src/memcached/protocol/meta/wire.ts";
import { freshServer } from "../../../_memcached.ts";
import { mutateClient, mutateWire, record } from "../../_mutations.ts";

test(
  "20,000 changed replies are read or refused by the meta wire, each within its own bytes",
  { timeout: 60_000 },
  async () => {
    await using server = await freshServer();
    const tape = await record(server.address, "meta");
    const before = process.memoryUsage().rss;
    const { refused } = mutateWire(tape, (longest) => new MetaWire(longest), 20_000, 1);
    assert(refused > 10_000, `${refused} were refused`);
    const more = process.memoryUsage().rss - before;
    assert(more < 150 * 2 ** 20, `${more} bytes more`);
  },
);

test("2,000 changed replies cost a client of meta nothing but their connections", { timeout: 60_000 }, async () => {
  await using server = await freshServer();
  const tape = await record(server.address, "meta");
  const { refused } = await mutateClient(tape, 2000, 1);
  assert(refused > 2000, `${refused} calls were refused`);
});
