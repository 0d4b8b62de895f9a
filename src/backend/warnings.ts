import type { CacheValueError } from "../errors.ts";
import { quoted } from "../util/checks.ts";
import { Warnings, type WarningTopic } from "../util/warnings.ts";
import type { Label } from "./guarded_store.ts";

/** What one backend says of its results: each once a function, or once a key where nobody knows the function. */
export class ResultWarnings {
  readonly #warnings = new Warnings();

  neverKept(label: Label, error: CacheValueError): void {
    this.#warn(
      "results that cannot be kept",
      label,
      `cannot be kept, so it is computed each time. ${error.message}`,
    );
  }

  circle(label: Label): void {
    this.#warn(
      "calls that would wait for themselves",
      label,
      "was asked for while it was computed, by its own function or by one that this calls, with the same arguments. It " +
        "would wait for itself, so it was computed without the cache: call the function itself there, not the cached one.",
    );
  }

  /** Two releases of one function, or two functions of which each is given what the other one has kept. */
  otherSource(label: Label): void {
    this.#warn(
      "results of another source",
      label,
      "was kept by a function of another source. If they are two functions of one name, pass the option `name` to one " +
        "of them; if they are two releases of one, give their backends a `version` each.",
    );
  }

  /** A call's `when` or `ttl` threw, or decided nothing. */
  optionFailed(option: "when" | "ttl", { name, key }: Label, error: unknown): void {
    const whose = name ?? key;
    const what = `the option \`${option}\` of ${quoted(whose)} failed, so what the function returned is not kept`;
    this.#warnings.once("callbacks", `${option} ${whose}`, `${what} (warned of once per function)`, { error });
  }

  waitUntilFailed(error: unknown): void {
    this.#warnings.once("callbacks", "waitUntil", "the option `waitUntil` threw (warned of once)", { error });
  }

  #warn(topic: WarningTopic, { name, key }: Label, what: string): void {
    this.#warnings.once(topic, name ?? key, `a result of ${name ?? key} ${what}`);
  }
}
