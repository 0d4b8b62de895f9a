/**
 * A program that caches, to be run with as few permissions as it needs. With a server it asks that one; else it keeps
 * results in memory. Prints what became of its calls, as one line of JSON.
 */
import { cached, configure } from "@x/cache-utils";

const { Deno } = globalThis as unknown as { Deno: { args: string[] } };
const [server, protocol = "binary"] = Deno.args;
const backend = configure(
  server === undefined
    ? {}
    : `memcached://${server}/?protocol=${protocol}&project=${protocol}&timeout=20s&storeTimeout=20s`,
);
const errors: string[] = [];
backend.on("storeError", ({ error }) => errors.push(String(error)));
let computations = 0;
// Long keys need md5, long values zlib, groups random numbers, errors and misses the clock.
const long = cached((text: string) => (computations++, text.repeat(100)), { name: "long", group: "least" });
const text = "oslo ".repeat(100);
const lengths = [(await long(text)).length, (await long(text)).length];
const promises = await Promise.all([
  long.invalidate(text).then(() => "kept", () => "rejected"),
  backend.invalidateGroup("least").then(() => "kept", () => "rejected"),
]);
const third = (await long(text)).length;
await backend.close();
console.log(JSON.stringify({ lengths: [...lengths, third], promises, computations, errors }));
