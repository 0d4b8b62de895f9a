import { test } from "node:test";
import stream from "node:stream";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { advice } from "../../src/data/advice.ts";
import { CacheValueError } from "../../src/errors.ts";
import { copyOf } from "../../src/data/copy.ts";

class Money {
  amount = 1;
}
class NotFound extends Error {}
class Page extends Response {}
class Rows extends Array<number> {}
class Query {
  then(): void {}
}
class Cursor {
  async *[Symbol.asyncIterator](): AsyncGenerator<number> {}
}

const cycle: unknown[] = [];
cycle.push({ cycle });
let deep: unknown = 1;
for (let i = 0; i < 600; i++) deep = [deep];

/** What is refused, and the words its error must have: what it is, and what to do instead. */
const ALL: Readonly<Record<string, [value: unknown, ...words: string[]]>> = {
  "a match": ["oslo".match(/(o)(?<s>s)/), "[...match]"],
  "a match of matchAll": [[..."oslo".matchAll(/o/g)], "[...match]"],
  "a template's strings": [((strings: TemplateStringsArray, ..._: unknown[]) => strings)`a${1}b`, '"raw"', "[...it]"],
  "an array with a name": [Object.assign([1], { total: 1 }), '"total"', "[...it]"],
  "arguments": [
    (function (..._rest: unknown[]) {
      return arguments;
    })(1),
    "[...arguments]",
  ],
  "an accessor": [
    {
      get a() {
        return 1;
      },
    },
    "accessor",
    "{ ...it }",
  ],
  "a hidden property": [Object.defineProperty({}, "a", { value: 1 }), "not enumerable", "leave it out"],
  "a property named by a symbol": [{ [Symbol("s")]: 1 }, "Symbol(s)", "leave it out"],
  "a cycle": [cycle, "cycle", "its id"],
  "depth": [deep, "deeper than 500", "less deeply"],
  "an error": [new NotFound("no"), "NotFound", "its message"],
  "an error of the platform": [new DOMException("no"), "DOMException", "its message"],
  "a Response": [new Response("a"), "Response", "its text, status and headers"],
  "a class of Responses": [new Page("a"), "Page", "its text, status and headers"],
  "a Request": [new Request("http://a/"), "Request", "its url, method, headers and text"],
  "a Blob": [new Blob(["a"]), "Blob", "arrayBuffer()"],
  "a File": [new File(["a"], "a"), "its bytes"],
  "a FormData": [new FormData(), "FormData", "[...it]"],
  "a stream": [new Blob(["a"]).stream(), "ReadableStream", "read it into an array first"],
  "a stream of Node": [stream.Readable.from(["a"]), "Readable", "read it into an array first"],
  "a generator": [(function* () {})(), "Generator", "read it into an array first"],
  "an async generator": [(async function* () {})(), "AsyncGenerator", "read it into an array first"],
  "an iterator": [new Map().keys(), "Map Iterator", "read it into an array first"],
  "a stream's iterator": [new Blob(["a"]).stream()[Symbol.asyncIterator](), "read it into an array first"],
  "a cursor": [new Cursor(), "Cursor", "read it into an array first"],
  "a promise": [{ a: Promise.resolve(1) }, "Promise", "await it first"],
  "a query that is awaited": [[new Query()], "Query", "await it first"],
  "an instance of a class": [new Money(), "Money", "map it to plain data first"],
  "an instance of a subclass": [new Rows(), "Rows", "Array.from(it)"],
  "a boxed text": [[new String("a")], "String", "valueOf()"],
  "a function": [[() => 1], "function", "leave it out"],
  "a symbol": [[Symbol("a")], "symbol", "leave it out"],
  "a weak map": [new WeakMap(), "WeakMap", "leave it out"],
  "a signal": [AbortSignal.abort(), "AbortSignal", "leave it out"],
  "shared memory": [new Uint8Array(new SharedArrayBuffer(1)), "shared", "it.slice()"],
  "what looks like a Date": [Object.create(Date.prototype), "cannot be read", "plain copy"],
};

for (const [what, [value, ...words]] of Object.entries(ALL)) {
  test(`the error of ${what} says what it is and what to keep instead`, () => {
    const { message } = assertThrows(() => copyOf(value), CacheValueError);
    for (const word of words) assert(message.includes(word), message);
  });
}

test("advice() says what to pass as it says what to keep", () => {
  assertEquals(advice("instance", new Response("a"), "keep"), "keep its text, status and headers instead");
  assertEquals(advice("instance", new Response("a"), "pass"), "pass its text, status and headers instead");
});

test("advice() on instances of classes of one's own depends on what is done with them", () => {
  for (const instance of [new Money(), Object.create({})]) {
    assertEquals(advice("instance", instance, "pass"), "give its class a [cacheKey]() method");
    assertEquals(advice("instance", instance, "keep"), "map it to plain data first, as `{ ...it }` does");
  }
});

test("what the advice says can be kept", async () => {
  copyOf([..."oslo".match(/o/)!]);
  copyOf({
    ...{
      get a() {
        return 1;
      },
    },
  });
  const response = new Response("a");
  copyOf({ text: await response.text(), status: response.status, headers: response.headers });
  copyOf([...new FormData()]);
  copyOf(Array.from(new Rows()));
  copyOf(new Uint8Array(new SharedArrayBuffer(1)).slice());
  copyOf({ ...new Money() });
});
