import { assertEquals, assertThrows } from "@std/assert";
import { test } from "node:test";
import { checkTopic } from "../../../src/memcached/protocol/request.ts";

test("checkTopic() allows none and one with a space", () => {
  assertEquals(checkTopic(""), 0);
  assertEquals(checkTopic("items"), 5);
  assertEquals(checkTopic("detail on"), 9);
  assertThrows(() => checkTopic("a\r\nb"), TypeError, "`topic`");
  assertThrows(() => checkTopic(1 as unknown as string), TypeError, "`topic`");
});
