/**
 * Signals among arguments. A signal says who waits, not what is asked for: it is no part of the key, so that
 * `f(7, { signal })` and `f(7)` are one call. It counts as one where it is an argument of its own, or the property
 * `signal` of a plain object that comes last.
 */
import { typeTagOf } from "../data/type_tags.ts";

/** Whether it is a real AbortSignal: what only says that it is one cannot be listened to. */
export function isSignal(value: unknown): value is AbortSignal {
  if (typeof value !== "object" || value === null) return false;
  try {
    return Object.getPrototypeOf(value) !== Object.prototype && value instanceof AbortSignal &&
      typeof isAborted.call(value) === "boolean";
  } catch {
    return false; // A proxy that throws.
  }
}

const isAborted = Object.getOwnPropertyDescriptor(AbortSignal.prototype, "aborted")!.get!;

/** What `signalsIn` returns where no argument can be or hold a signal. */
export const NO_SIGNALS: readonly AbortSignal[] = [];

/** The signals among the arguments of a call. `NO_SIGNALS` if no argument is one, or has a property `signal`. */
export function signalsIn(args: readonly unknown[]): readonly AbortSignal[] {
  if (!mayHoldSignals(args)) return NO_SIGNALS;
  const last = keyedLength(args) - 1;
  return args.flatMap((arg, i) => {
    const signal = isSignal(arg) ? arg : i >= last ? signalOf(arg) : undefined;
    return signal === undefined ? [] : [signal];
  });
}

function mayHoldSignals(args: readonly unknown[]): boolean {
  for (let i = 0; i < args.length; i++) {
    const arg = args[i];
    if (typeof arg !== "object" || arg === null) continue;
    if (isSignal(arg) || signalProperty(arg) !== undefined) return true;
  }
  return false;
}

/**
 * How many arguments stand in the key. Trailing ones that are `undefined`, or hold nothing but a signal, count as absent;
 * so does `{ signal: undefined }`, which callers write who may have a signal.
 */
export function keyedLength(args: readonly unknown[]): number {
  for (let count = args.length; count > 0; count--) {
    const last = args[count - 1];
    if (last !== undefined && !isSignal(last) && !holdsOnlySignal(last)) return count;
  }
  return 0;
}

function holdsOnlySignal(value: unknown): boolean {
  const property = signalProperty(value);
  if (property === undefined || Reflect.ownKeys(value as object).length > 1) return false;
  return isSignal(property.value) || "value" in property && property.value === undefined;
}

/** The signal of a plain object. */
function signalOf(value: unknown): AbortSignal | undefined {
  const signal = signalProperty(value)?.value;
  return isSignal(signal) ? signal : undefined;
}

/** The property `signal` of a plain object. `undefined` also for a proxy that throws. */
function signalProperty(value: unknown): PropertyDescriptor | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  try {
    if (!Object.hasOwn(value, "signal")) return undefined;
    const tag = typeTagOf(value);
    return tag === "plain" || tag === "bare" ? Object.getOwnPropertyDescriptor(value, "signal") : undefined;
  } catch {
    return undefined;
  }
}

/** The arguments with `signal` in the place of each of `signals`. */
export function withSignal(args: readonly unknown[], signals: readonly AbortSignal[], signal: AbortSignal): unknown[] {
  return args.map((arg) => {
    if (isSignal(arg)) return signal;
    const own = signalOf(arg);
    return own !== undefined && signals.includes(own) ? { ...arg as object, signal } : arg;
  });
}
