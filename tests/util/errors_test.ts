import { test } from "node:test";
import { assertEquals, assertInstanceOf } from "@std/assert";
import * as errors from "../../src/errors.ts";

test("every error has the name of its class, which its stack begins with", () => {
  for (const [name, Class] of Object.entries(errors)) {
    const error = new (Class as new (message: string, server: string, status: number) => Error)("text", "s1:11211", 5);
    assertEquals([error.name, String(error), error.stack?.split("\n")[0]], [name, `${name}: text`, `${name}: text`]);
    assertInstanceOf(error, Error);
  }
});
