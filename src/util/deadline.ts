/**
 * Deadlines that do not count the time in which our own event loop was blocked: by a function that computes for a second,
 * by modules that are loaded, by a process that is frozen. An answer may have come in time and lie unread in the socket.
 *
 * A runtime does not say that its event loop was blocked. It shows in timers that fire late, so while anybody waits, a
 * timer fires every 100 ms: of a blocked stretch, however long, a deadline counts no more than that.
 */

import { type Clock, monotonicMs } from "./clock.ts";

/** A wait is cut into pieces no longer than this. */
const PIECE_MS = 100;
/** A timer that fires this late is normal on a busy machine. */
const LATE_MS = 50;
/** After a late timer the sockets are read for this long, before it decides anything. */
const TURN_MS = 5;
/** After so many late timers in a row it decides all the same, as a process that is always busy needs deadlines, too. */
const MAX_TURNS = 20;

/** What one clock's timers have shown of the event loop. */
class LoopDelay {
  /** Time in which it was blocked. */
  blockedMs = 0;
  /** When the next timer of a deadline should fire, in monotonic ms. Later than this, the event loop was blocked. */
  firesBy = Infinity;
}

const delays = new WeakMap<Clock, LoopDelay>();

function delayOf(clock: Clock): LoopDelay {
  let delay = delays.get(clock);
  if (delay === undefined) delays.set(clock, delay = new LoopDelay());
  return delay;
}

/**
 * A reading in ms, like `monotonicMs`, that stands still while the event loop is blocked. It does so only while a
 * deadline runs, so a difference of two readings means something only to those who waited in between.
 */
export function responsiveTime(clock: Clock): number {
  const delay = delayOf(clock);
  const now = monotonicMs(clock);
  if (now - delay.firesBy > LATE_MS) {
    delay.blockedMs += now - delay.firesBy;
    delay.firesBy = now;
  }
  return now - delay.blockedMs;
}

/**
 * Calls `due` after `ms` of responsive time; returns the function that cancels it. A timer that fires late waits
 * for the sockets to be read before it calls `due`. "unreferenced": the timer keeps no process alive.
 */
export function deadline(
  clock: Clock,
  ms: number,
  due: () => void,
  keeping: "referenced" | "unreferenced" = "referenced",
): () => void {
  const delay = delayOf(clock);
  const end = responsiveTime(clock) + ms;
  if (end === Infinity) return () => {};
  let timer: unknown;
  let firesAt = 0;
  let turns = 0;
  /** What is left by the timers that have fired: a clock may be set back meanwhile, or stand still. */
  let leftMs = ms;
  const wait = (ms: number): void => {
    leftMs -= ms;
    firesAt = monotonicMs(clock) + ms;
    if (delay.firesBy === Infinity || firesAt > delay.firesBy) delay.firesBy = firesAt;
    timer = clock.setTimeout(fired, ms);
    if (keeping === "unreferenced") clock.unref?.(timer);
  };
  const fired = (): void => {
    const lateMs = monotonicMs(clock) - firesAt;
    leftMs = Math.min(leftMs, end - responsiveTime(clock));
    if (turns === 0 && leftMs > 0) return wait(Math.min(leftMs, PIECE_MS));
    // The timer of a turn is always a little late, so there the tolerance counts.
    if (lateMs > (turns === 0 ? 0 : LATE_MS) && turns < MAX_TURNS) {
      turns++;
      return wait(TURN_MS);
    }
    due();
  };
  wait(Math.min(ms, PIECE_MS));
  return () => clock.clearTimeout(timer);
}
