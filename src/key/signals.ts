/**
 * Signals among arguments. A signal says who waits, not what is asked for: it is no part of the key, so that
 * `f(7, { signal })` and `f(7)` are one call. It counts as one where it is an argument of its own, or the property
 * `signal` of a plain object that comes last.
 */
import { kindOf } from "../data/kinds.ts";

/** An AbortSignal, of this realm or another. */
export const isSignal = (value: unknown): value is AbortSignal =>
  typeof value === "object" && value !== null && Object.getPrototypeOf(value) !== Object.prototype &&
  kindOf(value) === undefined &&
  Object.prototype.toString.call(value) === "[object AbortSignal]";

/** Given where there is none: a call without signals is told by it. */
export const NO_SIGNALS: readonly AbortSignal[] = [];

/** The signals among the arguments of a call. */
export function signalsIn(args: readonly unknown[]): readonly AbortSignal[] {
  if (!args.some(mayBringOne)) return NO_SIGNALS;
  const count = keyedLength(args), signals: AbortSignal[] = [];
  args.forEach((arg, i) => {
    const signal = isSignal(arg) ? arg : i >= count - 1 ? signalOf(arg) : undefined;
    if (signal !== undefined) signals.push(signal);
  });
  return signals;
}

/** Mostly none does, and no more is to be asked then. */
const mayBringOne = (arg: unknown): boolean =>
  typeof arg === "object" && arg !== null && (Object.hasOwn(arg, "signal") || isSignal(arg));

/** How many arguments stand in the key: trailing ones that are `undefined`, or hold nothing but a signal, count as absent. */
export function keyedLength(args: readonly unknown[]): number {
  for (let count = args.length; count > 0; count--) {
    const last = args[count - 1];
    if (last === undefined || isSignal(last)) continue;
    if (signalOf(last) === undefined || Reflect.ownKeys(last as object).length > 1) return count;
  }
  return 0;
}

/** The signal of a plain object. */
function signalOf(value: unknown): AbortSignal | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  if (!Object.hasOwn(value, "signal")) return undefined;
  const kind = kindOf(value);
  if (kind !== "plain" && kind !== "bare") return undefined;
  const signal: unknown = Object.getOwnPropertyDescriptor(value, "signal")?.value;
  return isSignal(signal) ? signal : undefined;
}

/** The arguments with `signal` in the place of each of `signals`. */
export function withSignal(args: readonly unknown[], signals: readonly AbortSignal[], signal: AbortSignal): unknown[] {
  return args.map((arg) => {
    if (isSignal(arg)) return signal;
    const own = signalOf(arg);
    return own !== undefined && signals.includes(own) ? { ...arg as object, signal } : arg;
  });
}
