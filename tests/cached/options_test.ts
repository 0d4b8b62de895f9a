import { test } from "node:test";
import { assertEquals, assertThrows } from "@std/assert";
import { checkedOptions } from "../../src/cached/options.ts";
import { FakeBackend } from "./_fake_backend.ts";

test("checkedOptions() turns durations into seconds and makes groups distinct and sorted", () => {
  const backend = new FakeBackend();
  const ttl = () => 5, key = () => 1, when = () => true;
  assertEquals(checkedOptions({ ttl: "1.5h", stale: "30s", timeout: "250ms", mintDelay: 5, group: ["b", "a", "b"] }), {
    ttl: 5400,
    stale: 30,
    timeout: 0.25,
    mintDelay: 5,
    group: ["a", "b"],
    name: undefined,
    key: undefined,
    when: undefined,
    backend: undefined,
    shared: false,
  });
  const checked = checkedOptions({ ttl, key, when, backend, name: "n", group: "g" });
  assertEquals([checked.ttl, checked.key, checked.when, checked.backend, checked.name, checked.group], [
    ttl,
    key,
    when,
    backend,
    "n",
    "g",
  ]);
});

test("checkedOptions() takes undefined for absence, Infinity for ever, and a ttl of 0 or less for never", () => {
  const absent = { ttl: undefined, stale: undefined, group: undefined, name: undefined, backend: undefined };
  assertEquals(checkedOptions(absent), checkedOptions({}));
  assertEquals(
    [checkedOptions({ ttl: Infinity }).ttl, checkedOptions({ ttl: 0 }).ttl, checkedOptions({ ttl: -1 }).ttl],
    [Infinity, 0, -1],
  );
  assertEquals([checkedOptions({ stale: 0 }).stale, checkedOptions({ group: [] }).group], [0, undefined]);
});

test("checkedOptions() refuses an unknown option and lists the known ones", () => {
  const all = "options are ttl, stale, group, name, key, when, timeout, mintDelay, backend, shared";
  for (const name of ["toString", "__proto__x", "x".repeat(100_000), "constructor"]) {
    assertThrows(() => checkedOptions({ [name]: 1 }), TypeError, `": the ${all}`);
  }
  const meant = {
    tll: "ttl",
    ttL: "ttl",
    maxAge: "ttl",
    groups: "group",
    tags: "group",
    timeOut: "timeout",
    mintdelay: "mintDelay",
    stael: "stale",
    staleWhileRevalidate: "stale",
    names: "name",
    keys: "key",
    backends: "backend",
    store: "`backend: new GroupBackend({ store })`",
    version: "the option of the backend, which `configure` and `new GroupBackend` take",
  };
  for (const [name, right] of Object.entries(meant)) {
    assertThrows(
      () => checkedOptions({ [name]: 1 }),
      TypeError,
      `Cannot use option "${name}": did you mean ${right}? The ${all}`,
    );
  }
});

test("checkedOptions() refuses wrong values and names the option", () => {
  for (const name of ["ttl", "stale", "timeout", "mintDelay"]) {
    assertThrows(() => checkedOptions({ [name]: NaN }), RangeError, name);
    assertThrows(() => checkedOptions({ [name]: "soon" }), TypeError, name);
    if (name !== "ttl") assertThrows(() => checkedOptions({ [name]: -1 }), RangeError, `${name}: it must be >= 0`);
  }
  for (const group of ["", [""], 5, [5], {}, null]) assertThrows(() => checkedOptions({ group }), TypeError, "group");
  for (const name of ["", 5, null]) {
    assertThrows(() => checkedOptions({ name }), TypeError, "name: a name is a non-empty string");
  }
  for (const key of ["a", null]) assertThrows(() => checkedOptions({ key }), TypeError, "key: it must be a function");
  assertThrows(() => checkedOptions({ when: true }), TypeError, "Cannot use boolean as when: it must be a function");
  assertThrows(() => checkedOptions({ shared: 1 }), TypeError, "Cannot use number as shared: it is true or false");
  for (const backend of [{}, null, "memory:"]) {
    assertThrows(() => checkedOptions({ backend }), TypeError, "Cannot use backend");
  }
});
