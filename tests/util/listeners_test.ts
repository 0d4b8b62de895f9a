import { channel } from "node:diagnostics_channel";
import { test } from "node:test";
import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { Listeners } from "../../src/util/listeners.ts";
import { warnings } from "../cached/_fake_backend.ts";

interface Sounds {
  ring: { times: number };
  knock: { door: string };
}
const listeners = () => new Listeners<Sounds>({ ring: "listeners-test:ring", knock: "listeners-test:knock" });

test("emit() reaches every listener of the event, and no other", () => {
  const sounds = listeners();
  const heard: unknown[] = [];
  sounds.on("ring", (event) => heard.push(["first", event.times]));
  sounds.on("ring", (event) => heard.push(["second", event.times]));
  sounds.on("knock", (event) => heard.push(event.door));
  sounds.emit("ring", { times: 2 });
  assertEquals(heard, [["first", 2], ["second", 2]]);
});

test("on() returns the way to stop listening, one for each time a function was added", () => {
  const sounds = listeners();
  let heard = 0;
  const listener = () => heard++;
  const stop = sounds.on("ring", listener);
  const stopSecond = sounds.on("ring", listener);
  sounds.emit("ring", { times: 1 });
  assertEquals(heard, 2);
  stop();
  stop();
  sounds.emit("ring", { times: 1 });
  assertEquals(heard, 3);
  assertEquals(sounds.hasListeners("ring"), true);
  stopSecond();
  assertEquals(sounds.hasListeners("ring"), false);
});

test("a listener may stop itself while it is told, and the others are told", () => {
  const sounds = listeners();
  const heard: string[] = [];
  const stop = sounds.on("knock", () => {
    heard.push("once");
    stop();
  });
  sounds.on("knock", () => heard.push("always"));
  sounds.emit("knock", { door: "a" });
  sounds.emit("knock", { door: "b" });
  assertEquals(heard, ["once", "always", "always"]);
});

test("a listener that throws or rejects is reported once, and harms nobody", async () => {
  const deaf = {
    throws: () => {
      throw new Error("deaf");
    },
    rejects: () => Promise.reject(new Error("deaf")),
    "is a thenable": () => ({ then: (_: unknown, failed: (error: unknown) => void) => failed(new Error("deaf")) }),
    "has a then that throws": () => ({
      get then() {
        throw new Error("deaf");
      },
    }),
  };
  for (const [how, listener] of Object.entries(deaf)) {
    const sounds = listeners();
    let heard = 0;
    const told = await warnings(async () => {
      sounds.on("ring", listener as () => void);
      sounds.on("ring", () => heard++);
      sounds.emit("ring", { times: 1 });
      sounds.emit("ring", { times: 2 });
      await new Promise((resolve) => setTimeout(resolve));
    });
    assertEquals(heard, 2, how);
    const [first = "", second = ""] = told.join().split("\n");
    assertEquals(
      [told.length, first],
      [1, 'cache-utils: a listener of "ring" threw (warned of once per listener)'],
      how,
    );
    assertStringIncludes(second, "Error: deaf", how);
  }
});

test("subscribers of the diagnostics channel hear the same event", () => {
  const sounds = listeners();
  const heard: unknown[] = [];
  const subscriber = (event: unknown) => void heard.push(event);
  const ring = channel("listeners-test:ring");
  ring.subscribe(subscriber);
  assertEquals([sounds.hasListeners("ring"), sounds.hasListeners("knock")], [true, false]);
  const told = { times: 3 };
  sounds.emit("ring", told);
  ring.unsubscribe(subscriber);
  sounds.emit("ring", told);
  assertEquals(heard, [told]);
  assertEquals(sounds.hasListeners("ring"), false);
});

test("an unknown event, or a listener that is no function, is a TypeError", () => {
  const sounds = listeners();
  assertThrows(
    () => sounds.on("bark" as never, () => {}),
    TypeError,
    'Cannot listen to "bark": the events are ring, knock',
  );
  assertThrows(() => sounds.on("toString" as never, () => {}), TypeError, "the events are");
  assertThrows(() => sounds.on("ring", undefined as never), TypeError, "`listener` must be a function");
});
