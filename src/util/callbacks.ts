/**
 * What users' callbacks do that nobody asked them for: answer by a promise, or throw where their answer is only an
 * opinion. Neither may end the process or go unsaid.
 */
import { warn } from "./warnings.ts";

/**
 * Is it a promise, or anything else with a `then`? Then somebody has to hear its rejection: `failed` does, which must
 * not throw.
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

/** What an iterator gives is asked for one by one, so a callback that is a generator function has not run at all. */
export const isGenerator = (answer: unknown): boolean =>
  typeof answer === "object" && answer !== null && /Generator\]$/.test(Object.prototype.toString.call(answer));

/**
 * A source of the user's own (a clock, chance) of which the runtime has one as well: where it throws or gives what is
 * no answer, the runtime's is asked instead, and the first time a warning says so.
 */
export class UserSource {
  readonly #whose: string;
  #warned = false;

  /** `whose`: as in "the clock". */
  constructor(whose: string) {
    this.#whose = whose;
  }

  /** `fits`: is this an answer? `otherwise`: asked where there is none. */
  ask<T>(verb: string, ask: () => unknown, fits: (answer: unknown) => boolean, otherwise: () => T): T {
    try {
      const answer = ask();
      if (fits(answer)) return answer as T;
      if (!isPromise(answer)) throw new TypeError(`it gave ${String(answer)}`);
      throw new TypeError("it gave a promise");
    } catch (error) {
      if (!this.#warned) {
        warn("callbacks", `${verb}() of ${this.#whose} failed; the runtime's is used instead (told once)`, { error });
      }
      this.#warned = true;
      return otherwise();
    }
  }
}
