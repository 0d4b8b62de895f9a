/** A whole connection to a real server whose opaques pass 2^31 and 2^32. */

import { assertEquals } from "@std/assert";
import { test } from "node:test";
import { BinaryWire } from "../../../src/memcached/protocol/binary/wire.ts";
import { Connection } from "../../../src/memcached/connection/connection.ts";
import type { Item } from "../../../src/memcached/mod.ts";
import { Operation } from "../../../src/memcached/connection/operation.ts";
import { checkOptions } from "../../../src/memcached/options.ts";
import { checkKey, KeyList } from "../../../src/memcached/protocol/keys.ts";
import { VERB } from "../../../src/memcached/protocol/request.ts";
import { Negotiation } from "../../../src/memcached/connection/negotiation.ts";
import { freshServer } from "../../_memcached.ts";

for (const [name, border] of [["2^31", 2 ** 31], ["2^32", 2 ** 32]] as const) {
  test(`opaques pass ${name} in the middle of gets and multi-gets, and every answer is its own caller's`, async () => {
    await using server = await freshServer();
    const first = border - 700;
    const negotiation = new class extends Negotiation {
      override newWire(longestValueBytes: number): BinaryWire {
        return new BinaryWire(longestValueBytes, first);
      }
    }("binary");
    let tellEnded = () => {};
    const ended = new Promise<void>((resolve) => tellEnded = resolve);
    const address = { host: "127.0.0.1", port: server.port };
    const listener = { ready: () => {}, answered: () => {}, ended: () => tellEnded() };
    const connection = new Connection(server.address, address, negotiation, checkOptions({}), listener);
    const ask = <T>(...args: ConstructorParameters<typeof Operation>): Promise<T> => {
      const operation = new Operation(...args);
      connection.send(operation);
      return operation.promise as Promise<T>;
    };
    const many = async (keys: readonly string[]): Promise<Map<string, Item>> => {
      const operation = new Operation(VERB.getMulti, "", 0, { list: new KeyList(keys) });
      const items = operation.gathered = new Map<string, Item>();
      connection.send(operation);
      await operation.promise;
      return items;
    };
    const keys = Array.from({ length: 100 }, (_, n) => `key:${n}`);
    await Promise.all(
      keys.map((key) => ask(VERB.set, key, checkKey(key), { value: `of ${key}`, flags: 0, exptime: 0, cas: 0n })),
    );
    // 100 so far; each round takes 102: the border falls into the sixth round's multi-get.
    for (let round = 0; round < 12; round++) {
      const [one, several] = await Promise.all([
        ask<Item>(VERB.get, "key:7", 5),
        many(keys),
      ]);
      assertEquals(one.text(), "of key:7");
      assertEquals([...several].map(([key, item]) => [key, item.text()]), keys.map((key) => [key, `of ${key}`]));
    }
    connection.drain();
    await ended;
  });
}
