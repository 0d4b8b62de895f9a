import type { Entry, Owned, UncacheableEntry } from "../store/store.ts";
import { type Call, ownedBy, type Target } from "./call.ts";
import type { Value } from "./computations.ts";
import { isKept, isKeptByDefault, type NewEntry, newEntry, ttlMsOf } from "./entry_options.ts";
import type { GuardedStore, Label, Written } from "./guarded_store.ts";
import type { Settings } from "./options.ts";
import type { Snapshot } from "./read_batch.ts";
import type { ResultWarnings } from "./warnings.ts";

/** A write over what one has the right to replace: one's lease, or the very entry that a snapshot saw. */
export type Write = (entry: Entry, ttlMs: number) => Promise<Written>;

/** How long the hit-for-miss marker lives. */
const MARKER_MS = 60_000;

/**
 * How results are written: only over a token, that of a lease or of the entry that a snapshot saw. None is written over
 * "anything": that would bring an old value back after an invalidation.
 */
export class ResultWrites {
  readonly #store: GuardedStore;
  readonly #settings: Settings;
  readonly #warnings: ResultWarnings;

  constructor(store: GuardedStore, settings: Settings, warnings: ResultWarnings) {
    this.#store = store;
    this.#settings = settings;
    this.#warnings = warnings;
  }

  /** A write over the entry that a snapshot saw. */
  over({ label }: Target, { found }: Snapshot): Write {
    // rule 1: over the very entry that was seen
    return (entry, ttlMs) => this.#store.set(label, entry, ttlMs, found!.token);
  }

  /** Writes the value, or the marker where it cannot be kept. The first write is on its way when this returns. */
  valueOrMarker(call: Call, value: unknown, owned: Owned, write: Write): Promise<Written> {
    return this.#orMarker(call, this.#newEntry(call, value, owned), owned, write);
  }

  /**
   * Writes a value that can be kept now over the marker that a snapshot saw; one that again cannot leaves it as it is.
   * `call`: whose function made it.
   */
  overMarker(target: Target, snapshot: Snapshot): (call: Call, value: unknown) => void {
    const owned = ownedBy(target, snapshot.generations);
    return (call, value) => {
      const entry = this.#newEntry(call, value, owned);
      if (entry === undefined) return;
      this.#settings.inBackground(this.#orMarker(call, entry, owned, this.over(call, snapshot)));
    };
  }

  /**
   * Writes the value, or the marker where there is none or the store can never keep it. A marker that is refused is added
   * where nothing is: a server that finds a value too large deletes what was there.
   */
  async #orMarker(call: Call, kept: NewEntry | undefined, owned: Owned, write: Write): Promise<Written> {
    const { label } = call;
    if (kept !== undefined) {
      const writing = write(kept.entry, kept.ttlMs);
      call.ticket?.wrote(writing);
      const written = await writing;
      if (written.kind !== "never") return written;
      this.#warnings.neverKept(label, written.error);
    }
    const { fullKey, source, generations } = owned;
    const marker: UncacheableEntry = { kind: "uncacheable", fullKey, source, generations };
    const written = await write(marker, MARKER_MS);
    // rule 1: the marker where nothing is
    return written.kind === "refused" ? await this.#store.add(label, marker, MARKER_MS) : written;
  }

  /** Writes the value; what was not stored is deleted, so that no older value stays. */
  async valueOrDelete(call: Call, { value, isShared }: Value, owned: Owned, write: Write): Promise<void> {
    const kept = isShared ? this.#newEntry(call, value, owned) : undefined;
    const written = kept && await write(kept.entry, kept.ttlMs);
    if (written?.kind === "never") this.#warnings.neverKept(call.label, written.error);
    // rule 13: what was not stored is deleted
    if (written?.kind !== "stored") await this.delete(call.label);
  }

  /** Deletes whatever is there; asks once more when it was not confirmed, since a second delete changes nothing. */
  async delete(label: Label): Promise<"done" | { readonly error: unknown }> {
    const first = await this.#store.delete(label, "anything");
    // rule 16: an unconfirmed delete is asked once more
    const answer = first === "done" ? first : await this.#store.delete(label, "anything");
    return answer === "refused" ? "done" : answer;
  }

  /** The entry of a result; `undefined` where it is not to be kept, which is so if the call's `when` or `ttl` throws. */
  #newEntry({ label, options }: Call, value: unknown, owned: Owned): NewEntry | undefined {
    const { defaults, clock, random } = this.#settings;
    const { when = isKeptByDefault, ttl, stale } = options;
    let option: "when" | "ttl" = "when", ttlMs: number;
    try {
      if (!isKept(value, when)) return undefined;
      option = "ttl";
      ttlMs = ttlMsOf(value, ttl, defaults);
    } catch (error) {
      this.#warnings.optionFailed(option, label, error);
      return undefined;
    }
    return ttlMs > 0 ? newEntry(value, ttlMs, stale, defaults, owned, clock.now(), random) : undefined;
  }
}
