import { builtin } from "./builtin.ts";

interface Hash {
  update(data: string | Uint8Array): Hash;
  digest(): Uint8Array;
  digest(encoding: "hex"): string;
}
interface Crypto {
  createHash(algorithm: "md5"): Hash;
}

let crypto: Crypto | undefined;
const hash = (data: string | Uint8Array): Hash =>
  (crypto ??= builtin<Crypto>("node:crypto")).createHash("md5").update(data);

/** The 16 bytes of an md5; text counts as UTF-8. */
export const md5 = (data: string | Uint8Array): Uint8Array => hash(data).digest();

/** An md5 as 32 hex digits; text counts as UTF-8. */
export const md5Hex = (data: string | Uint8Array): string => hash(data).digest("hex");
