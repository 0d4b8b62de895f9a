/** What real processes saw under chaos, and what plain get, compute, set sees without any. */

import { runHistory } from "../../tests/integration/_history.ts";
import type { Terms, Verdict } from "./verdict.ts";

export async function history(terms: Terms): Promise<Verdict> {
  const reads = terms.count ?? Math.ceil(100_000 * terms.share);
  const began = performance.now();
  const { protocol, seed } = terms;
  const seen = await runHistory({ protocol, kind: "ours", reads, seed, chaos: true });
  const control = await runHistory({ protocol, kind: "plain", reads: 5000, seed, chaos: false });
  const failures = [...seen.stale.slice(0, 5)];
  if (control.stale.length === 0) failures.push("the control shows no stale read, so the check proves nothing");
  const blows = [...seen.blows].map(([name, count]) => `${name} ${count}`).join(", ");
  const seconds = ((performance.now() - began) / 1000).toFixed(0);
  return {
    fault: "history of 4 processes, reads",
    count: seen.reads,
    wrong: seen.stale.length,
    unsettled: 0,
    worstMs: 0,
    notes: `${seen.invalidations} invalidations; ${blows}; the control: ${control.stale.length} stale of ` +
      `${control.reads}; ${seconds} s`,
    failures,
  };
}
