/**
 * Callbacks of users may return a promise where a value is expected, or throw. Neither may end the process, and neither
 * may pass in silence.
 */
import { warn } from "./warnings.ts";

/**
 * Whether an answer is a promise, or anything else with a `then`. If so, `failed` is called with its rejection, which
 * would otherwise be unhandled and end the process; `failed` must not throw.
 */
export function isPromise(answer: unknown, failed: (error: unknown) => void = () => {}): boolean {
  if (typeof answer !== "object" && typeof answer !== "function" || answer === null) return false;
  try {
    const { then } = answer as { then?: unknown };
    if (typeof then !== "function") return false;
    then.call(answer, undefined, failed);
  } catch (error) {
    failed(error);
  }
  return true;
}

/** Whether an answer comes from a generator function, whose body has not run yet. */
export const isGenerator = (answer: unknown): boolean =>
  typeof answer === "object" && answer !== null && /Generator\]$/.test(Object.prototype.toString.call(answer));

/**
 * A clock or a random source of the user's own. Where it throws, or gives something unusable, the runtime's is used
 * instead; the first time is a warning.
 */
export class UserSource {
  readonly #label: string;
  #warned = false;

  /** `label`: names the source in the warning, as in "the clock". */
  constructor(label: string) {
    this.#label = label;
  }

  /** Returns what `ask` gives if that is valid, otherwise what `fallback` gives. */
  ask<T>(verb: string, ask: () => unknown, isValid: (answer: unknown) => boolean, fallback: () => T): T {
    try {
      const answer = ask();
      if (isValid(answer)) return answer as T;
      throw new TypeError(`it gave ${isPromise(answer) ? "a promise" : String(answer)}`);
    } catch (error) {
      if (!this.#warned) {
        warn("callbacks", `${verb}() of ${this.#label} failed; the runtime's is used instead (warned of once)`, {
          error,
        });
      }
      this.#warned = true;
      return fallback();
    }
  }
}
