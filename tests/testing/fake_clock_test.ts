import { test } from "node:test";
import { assertEquals, assertRejects } from "@std/assert";
import { FakeClock } from "../../src/testing/mod.ts";

test("FakeClock stands still until it is told to go on", async () => {
  const clock = new FakeClock(1000);
  assertEquals(clock.now(), 1000);
  await clock.advance(250);
  assertEquals(clock.now(), 1250);
});

test("FakeClock fires timers in the order of their times, and at their times", async () => {
  const clock = new FakeClock(0);
  const fired: [string, number][] = [];
  const at = (name: string, ms: number) => clock.setTimeout(() => fired.push([name, clock.now()]), ms);
  at("c", 30);
  at("a", 10);
  at("b", 20);
  at("b too", 20);
  at("never", 31);
  await clock.advance(30);
  assertEquals(fired, [["a", 10], ["b", 20], ["b too", 20], ["c", 30]]);
  assertEquals(clock.pending, 1);
});

test("FakeClock lets everything settle between two timers", async () => {
  const clock = new FakeClock(0);
  const seen: string[] = [];
  const work = async (name: string) => {
    for (let i = 0; i < 100; i++) await Promise.resolve();
    seen.push(`${name} settled at ${clock.now()}`);
  };
  clock.setTimeout(() => void work("a"), 10);
  clock.setTimeout(() => void work("b"), 11);
  void work("start");
  await clock.advance(20);
  assertEquals(seen, ["start settled at 0", "a settled at 10", "b settled at 11"]);
});

test("FakeClock fires what is set on the way, if its time comes", async () => {
  const clock = new FakeClock(0);
  let ticks = 0;
  const tick = () => void clock.setTimeout(() => (ticks++, tick()), 10);
  tick();
  await clock.advance(35);
  assertEquals(ticks, 3);
  await clock.advance(5);
  assertEquals(ticks, 4);
});

test("FakeClock forgets a cleared timer, also one cleared by another", async () => {
  const clock = new FakeClock();
  const fired: string[] = [];
  const second = clock.setTimeout(() => fired.push("second"), 10);
  clock.setTimeout(() => clock.clearTimeout(second), 10);
  const third = clock.setTimeout(() => fired.push("third"), 10);
  const first = clock.setTimeout(() => clock.clearTimeout(third), 5);
  clock.clearTimeout(undefined);
  await clock.advance(10);
  clock.clearTimeout(first);
  assertEquals(fired, ["second"]);
  assertEquals(clock.pending, 0);
});

test("FakeClock counts timers that would keep a process alive", async () => {
  const clock = new FakeClock();
  clock.setTimeout(() => {}, 10);
  clock.unref(clock.setTimeout(() => {}, 10));
  assertEquals([clock.pending, clock.referenced], [2, 1]);
  await clock.advance(10);
  assertEquals([clock.pending, clock.referenced], [0, 0]);
});

test("FakeClock takes a delay below 0, or NaN, for 0, and fires it only when it is advanced", async () => {
  const clock = new FakeClock();
  let fired = 0;
  for (const ms of [0, -5, NaN]) clock.setTimeout(() => fired++, ms);
  await clock.settle();
  assertEquals(fired, 0);
  await clock.advance(0);
  assertEquals(fired, 3);
});

test("FakeClock does not go back", async () => {
  const clock = new FakeClock();
  for (const ms of [-1, NaN]) await assertRejects(() => clock.advance(ms), RangeError);
});

test("FakeClock's wall clock can be set; its timers and monotonic() go on as they would", async () => {
  const clock = new FakeClock(1000);
  let fired = 0;
  clock.setTimeout(() => fired++, 100);
  clock.set(-600);
  assertEquals([clock.now(), clock.monotonic()], [400, 0]);
  await clock.advance(99);
  assertEquals([clock.now(), clock.monotonic(), fired], [499, 99, 0]);
  await clock.advance(1);
  assertEquals(fired, 1);
  clock.set(5000);
  assertEquals([clock.now(), clock.monotonic()], [5500, 100]);
});
