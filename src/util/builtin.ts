interface Runtime {
  readonly process: { getBuiltinModule(name: string): unknown };
}

/**
 * A built-in module of Node, which Deno and Bun have as well. Call it on first use and not on import: the first call
 * costs Deno 14 to 19 ms, whatever the module. `M`: the part of the module that the caller uses.
 */
export function builtin<M>(name: `node:${string}`): M {
  return (globalThis as unknown as Runtime).process.getBuiltinModule(name) as M;
}

interface Hash {
  update(data: string | Uint8Array): Hash;
  digest(): Uint8Array;
  digest(encoding: "hex"): string;
}
interface Crypto {
  createHash(algorithm: "md5" | "sha256"): Hash;
}

let crypto: Crypto | undefined;
const hash = (algorithm: "md5" | "sha256", data: string | Uint8Array): Hash =>
  (crypto ??= builtin<Crypto>("node:crypto")).createHash(algorithm).update(data);

/** The 16 bytes of an md5. Text is hashed as UTF-8. */
export const md5 = (data: string | Uint8Array): Uint8Array => hash("md5", data).digest();

/** An md5 as 32 hex digits. Text is hashed as UTF-8. */
export const md5Hex = (data: string | Uint8Array): string => hash("md5", data).digest("hex");

/** A sha-256 as 64 hex digits. Text is hashed as UTF-8. */
export const sha256Hex = (data: string | Uint8Array): string => hash("sha256", data).digest("hex");
