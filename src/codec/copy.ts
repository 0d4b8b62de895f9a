import { advice } from "../data/advice.ts";
import { twins } from "../data/copy.ts";
import { type Maker, walk } from "../data/walk.ts";
import { CacheValueError } from "../errors.ts";
import { printable } from "../util/checks.ts";

/** Says of a result which part of it cannot be kept, why, and what to keep instead. */
export const refuseValue: Maker["refusal"] = (path, fault, words, part, cause) => {
  const remedy = advice(fault, part, "keep") ?? "map it to plain data first, as `{ ...it }` does";
  return new CacheValueError(
    printable(`Cannot keep value${path}: ${words}; ${remedy}`),
    cause === undefined ? undefined : { cause },
  );
};

const copying: Maker = { ...twins, refusal: refuseValue };

/** A copy of a result, the same as encoding and decoding it gives. Throws CacheValueError for what cannot be kept. */
export const copyOf = (value: unknown): unknown => walk(value, copying);
