import { describeValue } from "./checks.ts";

/**
 * A number is SECONDS, memcached's own unit: 60 is a minute, and 60_000, a minute elsewhere, is 16 hours. A text has its
 * unit with it: "250ms", "30s", "5m", "1.5h", "1d". Infinity: for ever.
 */
export type Duration = number | `${number}${"ms" | "s" | "m" | "h" | "d"}`;

const TEXT = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;
const UNIT_MS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Converts a duration to milliseconds; it may be negative. `argument` names it in errors. */
export function toMs(duration: Duration, argument: string): number {
  if (typeof duration === "number") {
    if (Number.isNaN(duration)) throw new RangeError(`Cannot use NaN as ${argument}: give seconds, or text like "5m"`);
    return duration * 1000;
  }
  const parts = typeof duration === "string" ? TEXT.exec(duration) : null;
  if (parts === null) {
    throw new TypeError(
      `Cannot use ${
        describeValue(duration)
      } as ${argument}: a duration is a number of seconds, or a number with ms, s, m, h or d ("250ms", "1.5h")`,
    );
  }
  return Number(parts[1]) * UNIT_MS[parts[2]!]!;
}

/** Converts a duration that must not be negative to milliseconds; throws a RangeError if it is. */
export function toMsFromZero(duration: Duration, argument: string): number {
  const ms = toMs(duration, argument);
  if (ms < 0) throw new RangeError(`Cannot use ${describeValue(duration)} as ${argument}: it must be >= 0`);
  return ms;
}
