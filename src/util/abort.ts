/**
 * A signal searches its list of listeners for each that is removed, so with one listener a call, a thousand calls with
 * one signal would search a thousand times. Here all that wait for a signal share one listener on it.
 */

/** What is called when a signal fires. */
export interface AbortListener {
  aborted(reason: unknown): void;
}

const waiting = new WeakMap<AbortSignal, Set<AbortListener>>();

/** Calls `listener.aborted` when the signal fires, unless `offAbort` comes first. The signal has not fired yet. */
export function onAbort(signal: AbortSignal, listener: AbortListener): void {
  let listeners = waiting.get(signal);
  if (listeners === undefined) waiting.set(signal, listeners = new Set());
  if (listeners.size === 0) signal.addEventListener("abort", fired);
  listeners.add(listener);
}

/** Undoes `onAbort`; a listener that was not added is fine. */
export function offAbort(signal: AbortSignal, listener: AbortListener): void {
  const listeners = waiting.get(signal);
  if (listeners?.delete(listener) && listeners.size === 0) signal.removeEventListener("abort", fired);
}

/** Those that are aborted remove themselves meanwhile, which a set allows. */
function fired(this: AbortSignal): void {
  for (const listener of waiting.get(this) ?? []) listener.aborted(this.reason);
}
