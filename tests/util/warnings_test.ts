import { test } from "node:test";
import { assert, assertEquals } from "@std/assert";
import { quoted } from "../../src/util/checks.ts";
import { warn, Warnings, type WarningTopic } from "../../src/util/warnings.ts";
import { warnings } from "../cached/_fake_backend.ts";

/** Others of this process have warnings to write of the kinds that there are. */
const kind = (words: string): WarningTopic => words as WarningTopic;

test("a backend warns once of each name, of twenty names of a kind, and then says that more are not shown", async () => {
  const told = await warnings(() => {
    const one = new Warnings();
    for (let i = 0; i < 2000; i++) {
      for (let twice = 0; twice < 2; twice++) one.once(kind("callbacks"), `f${i}`, `text ${i}`);
    }
    one.once(kind("results of another source"), "f1", "another kind");
  });
  assertEquals(told.slice(0, 2), ["cache-utils: text 0", "cache-utils: text 1"]);
  assertEquals(told.slice(19), [
    "cache-utils: text 19",
    "cache-utils: more warnings about callbacks are not shown",
    "cache-utils: another kind",
  ]);
});

test("however many backends there are, a process writes a bounded number of lines of a kind", async () => {
  const told = await warnings(() => {
    for (let i = 0; i < 2000; i++) new Warnings().once(kind("a kind of the process"), "same", `text ${i}`);
    warn(kind("results whose call has changed"), "another kind");
  });
  assertEquals(told.slice(79), [
    "cache-utils: text 79",
    "cache-utils: more warnings about a kind of the process are not shown",
    "cache-utils: another kind",
  ]);
});

test("names of a million characters are neither written nor remembered in full", async () => {
  const long = "x".repeat(1_000_000);
  const told = await warnings(() => {
    const one = new Warnings();
    for (const end of "ab") one.once(kind("classes of one name"), long + end, `${quoted(long)} is long`);
  });
  assertEquals([told.length, told[0]!.length < 400], [1, true]);
});

test("neither names nor what was thrown bring controls, or lines that look like warnings of ours", async () => {
  const evil = "a\x1b[2J\u0085\u2028\u202e\ncache-utils: forged";
  const told = await warnings(() => {
    warn(kind("functions that share a name"), `one ${evil} and ${quoted(evil)}`);
    for (const error of [new Error(evil), evil, { toString: () => evil }, Object.create(null), Symbol(evil)]) {
      warn(kind("receivers that share results"), "thrown", { error });
    }
  });
  assertEquals(told.length, 6);
  for (const text of told) {
    // deno-lint-ignore no-control-regex
    assert(!/[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e]/.test(text), JSON.stringify(text));
    assert(text.split("\n").slice(1).every((line) => line.startsWith("    ")), text);
  }
  assert(told[4]!.includes("something that has no text"), told[4]);
});

test("a console that throws harms nobody", () => {
  const { warn: own } = console;
  console.warn = () => {
    throw new Error("no warnings in this test run");
  };
  try {
    warn(kind("results that cannot be kept"), "unheard");
  } finally {
    console.warn = own;
  }
});
