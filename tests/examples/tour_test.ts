/** The demo's tour on stores that keep its values late, as a memcached does for another process, or never. */

import { assertEquals, assertRejects } from "@std/assert";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { configure, MemoryStore, type Store } from "@x/cache-utils";
import { Journal } from "../../examples/demo/journal.ts";
import { Service } from "../../examples/demo/service.ts";
import { CityTable } from "../../examples/demo/table.ts";
import { Disappointment, Tour } from "../../examples/demo/tour.ts";

const CITIES = new URL("../../examples/cities.tsv", import.meta.url);
/** Far longer than it takes a service to answer one request after another. */
const LATE_MS = 250;

/** Values are on their way for so long after their callers were answered. */
class LateStore extends MemoryStore {
  override async set(...args: Parameters<Store["set"]>): ReturnType<MemoryStore["set"]> {
    if (args[1].kind === "value") await sleep(LATE_MS);
    return await super.set(...args);
  }
}

/** It answers as if values were kept. */
class ForgetfulStore extends MemoryStore {
  override async set(...[key, entry, ttlMs, over]: Parameters<Store["set"]>): ReturnType<MemoryStore["set"]> {
    const token = await super.set(key, entry, ttlMs, over);
    if (entry.kind === "value") await super.delete(key, "anything");
    return token;
  }
}

/** The tour of one service whose results are kept there; the lines that it printed. */
async function tourOn(store: Store, patienceMs?: number): Promise<string[]> {
  const printed: string[] = [];
  const { log } = console;
  console.log = (line: string) => void printed.push(line);
  const backend = configure({ store, project: "tour", storeTimeout: "10s" });
  const table = new CityTable(":memory:");
  const journal = new Journal();
  journal.follow(backend);
  const service = new Service(table, journal, backend);
  try {
    table.fill(CITIES);
    await new Tour([await service.listen(0)], patienceMs).run();
  } finally {
    console.log = log;
    await service.close();
    table.close();
    configure({});
    await backend.close();
  }
  return printed;
}

test("the demo's tour waits for values that are still on their way when their callers are answered", {
  timeout: 60_000,
}, async () => {
  const printed = await tourOn(new LateStore());
  assertEquals(printed.at(-1)?.includes("error"), true, "it came to its last chapter");
});

test("the demo's tour says which value was not kept, and when it stopped waiting for it", {
  timeout: 60_000,
}, async () => {
  await assertRejects(
    () => tourOn(new ForgetfulStore(), 300),
    Disappointment,
    "/cities/3143244/nearest?limit=3 was answered, yet it was not kept within 300 ms",
  );
});
