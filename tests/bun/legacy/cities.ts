/** Run by ../decorator_test.ts, compiled as the tsconfig.json beside it says. Prints what it did. */
// deno-lint-ignore-file require-await
import { cached } from "../../../src/cached/cached.ts";
import { configure } from "../../../src/cached/configure.ts";
import { handle } from "../../../src/cached/decorator.ts";
import { cacheKey } from "../../../src/key/identity.ts";
import { FakeBackend } from "../../cached/_fake_backend.ts";

/** A decorator that tells how it is called. */
// deno-lint-ignore no-explicit-any
const told = (...given: any[]): any => console.log(`decorated with ${given.length} arguments`);

const backend = configure(new FakeBackend());

class City {
  static base = 10;
  id = 7;
  [cacheKey](): number {
    return this.id;
  }
  @told
  @cached
  async bare(kind: string): Promise<string> {
    return `${kind} of ${this.id}`;
  }
  @cached(60, "cities")
  async timed(kind: string): Promise<string> {
    return `${kind} of ${this.id}`;
  }
  @cached({ ttl: "5m", group: (kind: string) => kind })
  async optioned(kind: string): Promise<string> {
    return `${kind} of ${this.id}`;
  }
  @cached
  static async all(n: number): Promise<number> {
    return this.base + n;
  }
}

console.log(handle(City.prototype, "bare").name);
const oslo = new City();
for (const call of [() => oslo.bare("hot"), () => oslo.timed("hot"), () => oslo.optioned("hot"), () => City.all(1)]) {
  const value = await call();
  const { ttl, group } = backend.last.options;
  console.log(backend.last.key, value, ttl, group);
}
await handle(oslo, "bare").invalidate("hot");
await handle(City, "all").invalidate(1);
console.log([...backend.kept.keys()].join(" "));
