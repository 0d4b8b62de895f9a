/**
 * Signals among arguments. A signal says who waits, not what is asked for: it is no part of the key, so that
 * `f(7, { signal })` and `f(7)` are one call. It counts as one where it is an argument of its own, or the property
 * `signal` of a plain object that comes last.
 */
import { kindOf } from "../data/kinds.ts";

/** An AbortSignal, of this realm or another. */
export const isSignal = (value: unknown): value is AbortSignal =>
  typeof value === "object" && value !== null && kindOf(value) === undefined &&
  Object.prototype.toString.call(value) === "[object AbortSignal]";

/** The arguments that stand in the key: the first `count`, in which `signals` are left out. */
export interface WithoutSignals {
  readonly count: number;
  readonly signals: readonly AbortSignal[];
}

const NONE: readonly AbortSignal[] = [];

/** Finds the signals. Trailing arguments that hold nothing else, `undefined` among them, count as absent. */
export function withoutSignals(args: readonly unknown[]): WithoutSignals {
  let signals: AbortSignal[] = NONE as AbortSignal[];
  const found = (signal: AbortSignal) => void (signals = [...signals, signal]);
  let count = args.length;
  for (; count > 0; count--) {
    const last = args[count - 1];
    if (isSignal(last)) found(last);
    else if (last !== undefined) {
      const signal = signalOf(last);
      if (signal === undefined) break;
      found(signal);
      if (Reflect.ownKeys(last as object).length > 1) break;
    }
  }
  for (let i = 0; i < count; i++) if (isSignal(args[i])) found(args[i] as AbortSignal);
  return { count, signals };
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
