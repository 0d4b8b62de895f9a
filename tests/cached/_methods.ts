/** Decorates as a compiler does under `experimentalDecorators`, since Node has no decorators of its own. */
import { type Backend, cached } from "@x/cache-utils";

// deno-lint-ignore no-explicit-any
type Options = any;
type Legacy = (home: object, name: string | symbol, descriptor: PropertyDescriptor) => PropertyDescriptor;

/** Caches a member of a prototype, or of a class. */
export function decorate(home: object, name: string, options: Options = {}): void {
  const decorator = cached(options) as unknown as Legacy;
  Object.defineProperty(home, name, decorator(home, name, Object.getOwnPropertyDescriptor(home, name)!));
}

/** A class as a mixin makes it, another one each time: its method finds in a table. */
export function findable(table: string, backend: Backend): new () => { find(id: number): Promise<string> } {
  class Findable {
    async find(id: number): Promise<string> {
      return await Promise.resolve(`${table} ${id}`);
    }
  }
  decorate(Findable.prototype, "find", { backend });
  return Findable;
}
