import { copyBy } from "../data/copy.ts";
import type { Refusal } from "../data/walk.ts";
import { CacheValueError } from "../errors.ts";

/** Says of a result which part of it cannot be kept, and why. */
export const refuseValue: Refusal = (path, _fault, words, _part, cause) =>
  new CacheValueError(`Cannot keep value${path}: ${words}`, cause === undefined ? undefined : { cause });

/** A copy of a result, the same as encoding and decoding it gives. Throws CacheValueError for what cannot be kept. */
export const copyOf = (value: unknown): unknown => copyBy(value, refuseValue);
