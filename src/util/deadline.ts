/**
 * Time in which our own event loop was there to hear an answer. While it is held up, by a function that computes for a
 * second, by modules that are loaded, by a frozen process, what comes lies unread: such time is nobody's fault, and no
 * deadline counts it.
 *
 * Nobody is told that the event loop was held up. It is seen by timers that fire late, so while anybody waits, a timer
 * fires every 100 ms: of what holds it up, however long, a deadline counts no more than that.
 */

import { type Clock, monotonicMs, systemClock } from "./clock.ts";

/** A longer wait is made of such pieces. */
const PIECE_MS = 100;
/** A timer may be so late on a busy machine. */
const LATE_MS = 50;
/** Between a late timer and what it decides the sockets are read for so long. */
const TURN_MS = 5;
/** Held up after each of so many turns, it decides all the same: a process that is always busy still has deadlines. */
const MOST_TURNS = 20;

/** What was lost by one clock. */
class LoopDelay {
  lostMs = 0;
  /** In ticks: by then a timer of somebody who waits has fired. */
  firesBy = Infinity;
}

const ofSystem = new LoopDelay();
const ofOthers = new WeakMap<Clock, LoopDelay>();

function delayOf(clock: Clock): LoopDelay {
  if (clock === systemClock) return ofSystem;
  let attention = ofOthers.get(clock);
  if (attention === undefined) ofOthers.set(clock, attention = new LoopDelay());
  return attention;
}

/**
 * A reading in ms, like `ticks`, that stands still while the event loop is held up and somebody waits. Where nobody waits
 * it may lose time as well, which nobody sees: only differences mean anything, and only to those who wait.
 */
export function responsiveTime(clock: Clock): number {
  const attention = delayOf(clock);
  const now = monotonicMs(clock);
  if (now - attention.firesBy > LATE_MS) {
    attention.lostMs += now - attention.firesBy;
    attention.firesBy = now;
  }
  return now - attention.lostMs;
}

/**
 * Calls `due` after so many ms in which the event loop was there; returns the way to cancel it. A timer that fires late
 * decides nothing before the sockets have had a whole turn. "unreferenced": it keeps no process alive.
 */
export function deadline(
  clock: Clock,
  ms: number,
  due: () => void,
  keeping: "referenced" | "unreferenced" = "referenced",
): () => void {
  const attention = delayOf(clock);
  const end = responsiveTime(clock) + ms;
  if (end === Infinity) return () => {};
  let timer: unknown;
  let firesAt = 0;
  let turns = 0;
  /** By the timers that have fired; a clock may be set back meanwhile, or stand still. */
  let left = ms;
  const wait = (ms: number): void => {
    left -= ms;
    firesAt = monotonicMs(clock) + ms;
    if (attention.firesBy === Infinity || firesAt > attention.firesBy) attention.firesBy = firesAt;
    timer = clock.setTimeout(fired, ms);
    if (keeping === "unreferenced") clock.unref?.(timer);
  };
  const fired = (): void => {
    const lateMs = monotonicMs(clock) - firesAt;
    left = Math.min(left, end - responsiveTime(clock));
    if (turns === 0 && left > 0) return wait(Math.min(left, PIECE_MS));
    // A turn's own timer is always a little late.
    if (lateMs > (turns === 0 ? 0 : LATE_MS) && turns < MOST_TURNS) {
      turns++;
      return wait(TURN_MS);
    }
    due();
  };
  wait(Math.min(ms, PIECE_MS));
  return () => clock.clearTimeout(timer);
}
