/**
 * The functions of `@std/assert` that the tests use, with its signatures and its meaning, over `node:assert`. The import
 * map points `@std/assert` here; naming the real package there swaps it in, and nothing else changes.
 */

import { AssertionError } from "node:assert/strict";
import { inspect } from "node:util";

export { AssertionError };

// deno-lint-ignore no-explicit-any
type Class<T = any> = abstract new (...args: any[]) => T;

/** Fails unless `expr` is truthy. */
export function assert(expr: unknown, msg = ""): asserts expr {
  if (!expr) throw new AssertionError({ message: msg || "Expected a truthy value", operator: "assert" });
}

/** Fails always. */
export function fail(msg?: string): never {
  throw new AssertionError({ message: `Failed assertion${suffix(msg)}`, operator: "fail" });
}

/** Fails: the test came to a line that it never should. */
export function unreachable(msg?: string): never {
  throw new AssertionError({ message: `Unreachable${suffix(msg)}`, operator: "unreachable" });
}

/** Deeply equal: 0 equals -0, NaN equals NaN, and the members of a Map or Set may come in any order. */
export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  if (!equal(actual, expected)) throw different(actual, expected, "deepStrictEqual", msg);
}

/** Not deeply equal. */
export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void {
  if (equal(actual, expected)) refuse(`Expected another value than ${show(expected)}`, msg);
}

/** The very same value, by `Object.is`: 0 is not -0. */
export function assertStrictEquals<T>(actual: unknown, expected: T, msg?: string): asserts actual is T {
  if (!Object.is(actual, expected)) throw different(actual, expected, "strictEqual", msg);
}

/** Not the very same value, by `Object.is`. */
export function assertNotStrictEquals<T>(actual: T, expected: T, msg?: string): void {
  if (Object.is(actual, expected)) refuse(`Expected another value than this very one: ${show(expected)}`, msg);
}

/** Neither `undefined` nor `null`. */
export function assertExists<T>(actual: T, msg?: string): asserts actual is NonNullable<T> {
  if (actual === undefined || actual === null) refuse(`Expected a value, got ${actual}`, msg);
}

/** `instanceof`. */
export function assertInstanceOf<T extends Class>(
  actual: unknown,
  expectedType: T,
  msg?: string,
): asserts actual is InstanceType<T> {
  if (!(actual instanceof expectedType)) {
    refuse(`Expected an instance of ${expectedType.name}, got ${show(actual)}`, msg);
  }
}

/** The string matches. */
export function assertMatch(actual: string, expected: RegExp, msg?: string): void {
  if (!expected.test(actual)) refuse(`Expected ${show(actual)} to match ${expected}`, msg);
}

/** The string does not match. */
export function assertNotMatch(actual: string, expected: RegExp, msg?: string): void {
  if (expected.test(actual)) refuse(`Expected ${show(actual)} not to match ${expected}`, msg);
}

/** The string contains the other. */
export function assertStringIncludes(actual: string, expected: string, msg?: string): void {
  if (!actual.includes(expected)) refuse(`Expected ${show(actual)} to contain ${show(expected)}`, msg);
}

/** Every expected member is in `actual`, by deep equality. */
export function assertArrayIncludes<T>(actual: ArrayLike<T>, expected: ArrayLike<T>, msg?: string): void {
  const missing = Array.from(expected).filter((wanted) => !Array.from(actual).some((one) => equal(one, wanted)));
  if (missing.length > 0) refuse(`Expected ${show(actual)} to include ${show(missing)}`, msg);
}

/** What `expected` names is in `actual`, deeply; what else is there does not matter. */
export function assertObjectMatch(
  // deno-lint-ignore no-explicit-any
  actual: Record<PropertyKey, any>,
  expected: Record<PropertyKey, unknown>,
  msg?: string,
): void {
  if (!matches(actual, expected, new Map())) throw different(actual, expected, "deepStrictEqual", msg);
}

/** Within `tolerance`; without one, within a ten-millionth of the expected value. */
export function assertAlmostEquals(actual: number, expected: number, tolerance?: number, msg?: string): void {
  if (Object.is(actual, expected)) return;
  const allowed = tolerance ?? (Number.isFinite(expected) ? Math.abs(expected * 1e-7) : 1e-7);
  if (!(Math.abs(expected - actual) <= allowed)) {
    refuse(`Expected ${actual} to be within ${allowed} of ${expected}`, msg);
  }
}

/** `actual > expected`. */
export function assertGreater<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual > expected)) refuse(`Expected ${show(actual)} > ${show(expected)}`, msg);
}

/** `actual >= expected`. */
export function assertGreaterOrEqual<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual >= expected)) refuse(`Expected ${show(actual)} >= ${show(expected)}`, msg);
}

/** `actual < expected`. */
export function assertLess<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual < expected)) refuse(`Expected ${show(actual)} < ${show(expected)}`, msg);
}

/** `actual <= expected`. */
export function assertLessOrEqual<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual <= expected)) refuse(`Expected ${show(actual)} <= ${show(expected)}`, msg);
}

/** It is an Error, of this class, whose message contains or matches this. */
export function assertIsError<E extends Error = Error>(
  error: unknown,
  ErrorClass?: Class<E>,
  msgMatches?: string | RegExp,
  msg?: string,
): asserts error is E {
  if (!(error instanceof Error)) refuse(`Expected an Error, got ${show(error)}`, msg);
  if (ErrorClass && !(error instanceof ErrorClass)) {
    refuse(`Expected ${ErrorClass.name}, got ${error.constructor.name}: ${error.message}`, msg, error);
  }
  if (msgMatches === undefined) return;
  const there = typeof msgMatches === "string" ? error.message.includes(msgMatches) : msgMatches.test(error.message);
  if (!there) refuse(`Expected a message with ${show(msgMatches)}, got ${show(error.message)}`, msg, error);
}

/** The function throws; returns what it threw. */
export function assertThrows(fn: () => unknown, msg?: string): unknown;
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  ErrorClass: Class<E>,
  msgIncludes?: string,
  msg?: string,
): E;
export function assertThrows(
  fn: () => unknown,
  classOrMsg?: Class<Error> | string,
  msgIncludes?: string,
  msg?: string,
): unknown {
  try {
    fn();
  } catch (error) {
    return expected(error, classOrMsg, msgIncludes, msg);
  }
  return refuse("Expected the function to throw", typeof classOrMsg === "string" ? classOrMsg : msg);
}

/** The function returns a promise that rejects; resolves to the reason. A function that throws at once fails. */
export function assertRejects(fn: () => PromiseLike<unknown>, msg?: string): Promise<unknown>;
export function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  ErrorClass: Class<E>,
  msgIncludes?: string,
  msg?: string,
): Promise<E>;
export async function assertRejects(
  fn: () => PromiseLike<unknown>,
  classOrMsg?: Class<Error> | string,
  msgIncludes?: string,
  msg?: string,
): Promise<unknown> {
  const told = typeof classOrMsg === "string" ? classOrMsg : msg;
  let promise: PromiseLike<unknown>;
  try {
    promise = fn();
  } catch (error) {
    refuse(`Expected a rejection, but the function threw at once: ${show(error)}`, told, error);
  }
  if (typeof promise?.then !== "function") refuse(`Expected a promise, got ${show(promise)}`, told);
  try {
    await promise;
  } catch (error) {
    return expected(error, classOrMsg, msgIncludes, msg);
  }
  return refuse("Expected the promise to reject", told);
}

/** Deep equality as `@std/assert` has it. */
export function equal(a: unknown, b: unknown): boolean {
  return same(a, b, new Map());
}

function same(a: unknown, b: unknown, seen: Map<unknown, unknown>): boolean {
  if (a === b || Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (!sameClass(a, b)) return false;
  if (a instanceof RegExp || a instanceof URL) return String(a) === String(b);
  if (a instanceof Date) return Object.is(a.getTime(), (b as Date).getTime());
  if (a instanceof WeakMap || a instanceof WeakSet) throw new TypeError(`Cannot compare ${a.constructor.name} objects`);
  if (a instanceof WeakRef) return same(a.deref(), (b as WeakRef<object>).deref(), seen);
  if (a instanceof ArrayBuffer) return sameBytes(new Uint8Array(a), new Uint8Array(b as ArrayBuffer));
  if (a instanceof Uint8Array) return sameBytes(a, b as Uint8Array);
  if (seen.get(a) === b) return true;
  if (Object.keys(a).length !== Object.keys(b).length) return false;
  seen.set(a, b);
  if (a instanceof Set) return samePairs([...a], [...b as Set<unknown>], seen);
  if (a instanceof Map) return samePairs([...a], [...b as Map<unknown, unknown>], seen);
  if (a instanceof Error) {
    // An error's own message and cause are not enumerable, and differ all the same.
    const other = b as Error;
    if (a.message !== other.message || !same(a.cause, other.cause, seen)) return false;
  }
  return propertiesOf(a).concat(propertiesOf(b)).every((key) =>
    key in a && key in b && same(Reflect.get(a, key), Reflect.get(b, key), seen)
  );
}

/** A plain object and one without a prototype count as one class. */
function sameClass(a: object, b: object): boolean {
  return (a.constructor ?? Object) === (b.constructor ?? Object);
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, at) => byte === b[at]);
}

/** Members in any order; each member of `b` answers for one of `a`. */
function samePairs(a: unknown[], b: unknown[], seen: Map<unknown, unknown>): boolean {
  if (a.length !== b.length) return false;
  const left = new Set(b);
  for (const one of a) {
    let found = false;
    for (const other of left) {
      // A copy of `seen`: a pair that turns out different must not count as compared later.
      if (!same(one, other, new Map(seen))) continue;
      left.delete(other);
      found = true;
      break;
    }
    if (!found) return false;
  }
  return true;
}

function propertiesOf(object: object): PropertyKey[] {
  return Reflect.ownKeys(object).filter((key) => Object.prototype.propertyIsEnumerable.call(object, key));
}

function matches(actual: unknown, wanted: unknown, seen: Map<unknown, unknown>): boolean {
  if (!isOpen(actual) || !isOpen(wanted)) return equal(actual, wanted);
  if (seen.get(wanted) === actual) return true;
  seen.set(wanted, actual);
  if (wanted instanceof Map) {
    if (!(actual instanceof Map)) return false;
    return [...wanted].every(([key, value]) => actual.has(key) && matches(actual.get(key), value, seen));
  }
  if (wanted instanceof Set) return actual instanceof Set && [...wanted].every((member) => actual.has(member));
  return propertiesOf(wanted).every((key) =>
    key in actual && matches(Reflect.get(actual, key), Reflect.get(wanted, key), seen)
  );
}

/** Objects that are compared member by member. */
function isOpen(value: unknown): value is object {
  return typeof value === "object" && value !== null && !(value instanceof RegExp) && !(value instanceof Date) &&
    !(value instanceof URL) && !ArrayBuffer.isView(value);
}

function expected(error: unknown, classOrMsg?: Class<Error> | string, msgIncludes?: string, msg?: string): unknown {
  if (typeof classOrMsg === "function") assertIsError(error, classOrMsg, msgIncludes, msg);
  return error;
}

function different(actual: unknown, expected: unknown, operator: string, msg?: string): AssertionError {
  const shown = new AssertionError({ actual, expected, operator });
  return msg ? new AssertionError({ actual, expected, operator, message: `${msg}: ${shown.message}` }) : shown;
}

function refuse(message: string, msg?: string, cause?: unknown): never {
  const error = new AssertionError({ message: `${message}${suffix(msg)}`, operator: "assert" });
  if (cause !== undefined) error.cause = cause;
  throw error;
}

function suffix(msg?: string): string {
  return msg ? `: ${msg}` : "";
}

function show(value: unknown): string {
  return inspect(value, { depth: 4, breakLength: Infinity });
}
