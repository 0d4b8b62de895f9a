import { CacheError } from "../errors.ts";
import { quoted } from "../util/checks.ts";
import type { LeaseEntry, Owned } from "../store/store.ts";
import { ownedBy, type Target } from "./call.ts";
import type { NewEntry } from "./entry_options.ts";
import { MAX_REFUSALS } from "./fetch.ts";
import { isServable } from "./freshness.ts";
import type { Parts } from "./group_backend.ts";
import type { GuardedStore, Label, Written } from "./guarded_store.ts";
import { Lease, LEASE_MS } from "./lease.ts";
import { OwnSnapshot } from "./read_batch.ts";

/** `set`, `add` and the invalidations. They promised something, so they reject where the store does not confirm it. */
export class UserWrites {
  readonly #parts: Parts;
  readonly #store: GuardedStore;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#store = parts.store;
  }

  /** Keeps a value over whatever is there. */
  async set(target: Target, entry: (owned: Owned) => NewEntry): Promise<void> {
    // rule 2: a given value is stamped before its lease is taken
    const owned = ownedBy(target, await this.#generations(target));
    await this.#put(target, owned, entry, (lease) => this.#store.set(target.label, lease, LEASE_MS, "anything"));
  }

  /** Keeps a value only where none is servable, and tells whether it did. */
  async add(target: Target, entry: (owned: Owned) => NewEntry): Promise<boolean> {
    const { label } = target;
    for (let refusals = 0; refusals <= MAX_REFUSALS; refusals++) {
      const [found, generations] = await Promise.all([
        this.#store.getOrThrow(label).catch((error: unknown) => {
          throw notConfirmed("keep", label.key, error);
        }),
        this.#generations(target),
      ]);
      if (isServable(this.#parts.classifier.classify(target, new OwnSnapshot(found, generations)))) return false;
      const put = await this.#put(target, ownedBy(target, generations), entry, (lease) => {
        return found === undefined
          ? this.#store.add(label, lease, LEASE_MS) // rule 1: add takes its lease where nothing is
          : this.#store.set(label, lease, LEASE_MS, found.token); // rule 1: or over what it saw
      });
      if (put !== "lease refused") return put === "stored";
    }
    return false;
  }

  #generations({ label, counters }: Target): Promise<bigint[]> {
    return Promise.all(counters.map(async ({ key }) => {
      try {
        return await this.#store.counterOrThrow({ key });
      } catch (error) {
        throw notConfirmed("keep", label.key, error);
      }
    }));
  }

  /**
   * Takes a lease, then writes the value over it, so that a write which timed out cannot land after a later invalidation.
   * "lease refused": something newer was there. "refused": something newer came. Throws when it is unknown whether it
   * was kept, or it never can be. A backend that closes waits for it.
   */
  #put(
    target: Target,
    owned: Owned,
    entry: (owned: Owned) => NewEntry,
    take: (lease: LeaseEntry) => Promise<Written>,
  ): Promise<"stored" | "refused" | "lease refused"> {
    const { computations, leases, settings } = this.#parts;
    const { label } = target;
    const asked = leases.newEntry(owned);
    // Open before its lease is asked for, as of a miss: calls that see the lease join it.
    // rule 9: of a given value as well, open before its lease is asked for
    const computation = computations.open(label.key, asked.nonce);
    const put = async () => {
      // rule 1: a given value takes a lease first
      const taken = await take(asked);
      if (taken.kind === "refused") return "lease refused";
      if (taken.kind !== "stored") throw notConfirmed("keep", label.key, taken.error);
      // Not among those that `close` releases, since it waits for this write.
      const lease = new Lease(leases, label, asked, taken.token, settings.defaults.mintDelayMs);
      const kept = entry(owned);
      const written = await lease.replace(kept.entry, kept.ttlMs);
      if (written.kind === "unknown") throw notConfirmed("keep", label.key, written.error);
      if (written.kind === "never") {
        await lease.release();
        throw written.error;
      }
      computation.settle({ kind: "value", value: kept.entry.value, isShared: true });
      return written.kind;
    };
    return leases.finish(put().finally(() => computations.close(asked.nonce)));
  }

  /** Forgets what is kept under a key. */
  async invalidate(label: Label): Promise<void> {
    const done = await this.#parts.writes.delete(label);
    const failed = done === "done" ? undefined : { error: notConfirmed("invalidate", label.key, done.error) };
    this.#parts.events.invalidated(label, failed);
    // rule 16: an invalidation resolves confirmed
    if (failed !== undefined) throw failed.error;
  }

  /** Increments the counter of each group, at most twice: one too many costs misses, one too few breaks the promise. */
  async invalidateGroups(names: readonly string[]): Promise<void> {
    const { keys, events } = this.#parts;
    const failures = await Promise.all(names.map(async (group) => {
      const label = { key: keys.counter(group) };
      const first = await this.#store.increment(label);
      const done = first === "done" ? first : await this.#store.increment(label);
      // rule 16: every group is confirmed
      return done === "done" ? undefined : done;
    }));
    const confirmed = names.filter((_, i) => failures[i] === undefined);
    const unconfirmed = names.filter((_, i) => failures[i] !== undefined);
    if (confirmed.length > 0) events.invalidated({ groups: confirmed });
    if (unconfirmed.length === 0) return;
    const causes = failures.flatMap((failure) => failure === undefined ? [] : [failure.error]);
    const error = notInvalidated(unconfirmed, confirmed, causes);
    events.invalidated({ groups: unconfirmed }, { error });
    throw error;
  }
}

/** The error of a write or an invalidation that the store did not confirm. */
const notConfirmed = (action: string, key: string, cause: unknown): CacheError =>
  new CacheError(`Cannot ${action} ${key}: the store did not confirm it, so what is there is unknown`, { cause });

/** Names the groups that were invalidated and those that were not, since the latter may go on being served. */
function notInvalidated(
  unconfirmed: readonly string[],
  confirmed: readonly string[],
  causes: readonly unknown[],
): CacheError {
  const listed = (names: readonly string[]) => names.map(quoted).join(", ");
  const groups = unconfirmed.length === 1 ? "group" : "groups";
  const others = confirmed.length === 0 ? "" : `; confirmed: ${listed(confirmed)}`;
  const what = `Cannot invalidate the ${groups} ${listed(unconfirmed)}`;
  return new CacheError(`${what}: the store did not confirm it, so what is there is unknown${others}`, {
    cause: causes.length === 1 ? causes[0] : new AggregateError(causes, "Several groups were not invalidated"),
  });
}
