/** When a dead server is tried again. */

/** The first pause, and the longest. */
const FIRST_MS = 1000;
const LONGEST_MS = 4000;
/** So far from it at most, so that many clients do not come at once. */
const SPREAD = 0.2;

/** The pause before the next try after so many vain ones: 1 s, 2 s, then 4 s, each ±20 %. `fraction`: chance, in [0, 1). */
export function pauseMs(vainTries: number, fraction: number): number {
  const pause = Math.min(FIRST_MS * 2 ** vainTries, LONGEST_MS);
  return pause * (1 - SPREAD + 2 * SPREAD * fraction);
}
