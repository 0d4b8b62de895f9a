/**
 * For tests of code that uses this library, and of stores written for it: a clock that a test moves, chance that is the
 * same in every run, and the tests that every store must pass. `configure({})` before each test gives it an empty cache
 * of its own; `configure({ clock })` with a `FakeClock` one whose time the test moves.
 *
 * @module
 */
export type { Clock } from "../util/clock.ts";
export type { Random } from "../util/random.ts";
export type * from "../store/store.ts";
export { type ConformanceTest, storeConformance } from "./conformance.ts";
export type { ConformanceOptions } from "./subject.ts";
export { FakeClock } from "./fake_clock.ts";
export { SeededRandom } from "./seeded_random.ts";
