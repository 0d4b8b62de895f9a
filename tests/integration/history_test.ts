/** What real processes saw, checked; `deno task soak --only history` has the long run. */

import { assert, assertEquals } from "@std/assert";
import { test } from "node:test";
import { runHistory } from "./_history.ts";

for (const protocol of ["binary", "meta"] as const) {
  test(`${protocol}: no call that begins after a resolved invalidation returns an older version, whatever breaks`, {
    timeout: 120_000,
  }, async () => {
    const { reads, invalidations, stale } = await runHistory({
      protocol,
      kind: "ours",
      reads: 6000,
      seed: 1,
      chaos: true,
    });
    assertEquals(stale, []);
    assert(reads >= 6000 && invalidations > 100, `${reads} reads, ${invalidations} invalidations`);
  });
}

test("the check sees what get, compute, set gets wrong, without any chaos", { timeout: 120_000 }, async () => {
  const { stale } = await runHistory({ protocol: "binary", kind: "plain", reads: 6000, seed: 1, chaos: false });
  assert(stale.length > 0, "the control shows no stale read, so the check proves nothing");
});
