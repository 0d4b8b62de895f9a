import { CacheError } from "../errors.ts";
import { quoted } from "../util/checks.ts";

/**
 * What an invalidation of groups rejects with, if any was not confirmed: it names those that were and those that were not,
 * since the latter may go on being served. Its cause is what the store said, or, of several things, all of them.
 */
export function notInvalidated(
  names: readonly string[],
  failures: readonly ({ readonly error: unknown } | undefined)[],
): CacheError | undefined {
  const causes = failures.flatMap((failure) => failure === undefined ? [] : [failure.error]);
  if (causes.length === 0) return undefined;
  const listed = (which: readonly string[]) => which.map(quoted).join(", ");
  const unconfirmed = names.filter((_, i) => failures[i] !== undefined);
  const confirmed = names.filter((_, i) => failures[i] === undefined);
  const groups = unconfirmed.length === 1 ? "group" : "groups";
  const others = confirmed.length === 0 ? "" : `; confirmed: ${listed(confirmed)}`;
  return new CacheError(
    `Cannot invalidate the ${groups} ${
      listed(unconfirmed)
    }: the store did not confirm it, so what is there is unknown${others}`,
    { cause: causes.length === 1 ? causes[0] : new AggregateError(causes, "Several groups were not invalidated") },
  );
}
