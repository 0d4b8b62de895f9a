/** The runtime's own modules, loaded on first use: the first such call costs Deno 14-19 ms, whatever the module. */
interface Runtime {
  readonly process: { getBuiltinModule(name: string): unknown };
}

/** A built-in module of Node, which Deno and Bun have as well. `M`: the part of it that the caller uses. */
export function builtin<M>(name: `node:${string}`): M {
  return (globalThis as unknown as Runtime).process.getBuiltinModule(name) as M;
}
