/**
 * Which computation a call comes from, known by the runtime's AsyncLocalStorage, and which computation waits for which.
 *
 *   1. a computes, and calls b       2. b computes, and calls a       3. a's lease is held by 1, which waits for 2
 *
 * Without this the call at 3 would wait until `mintDelay`, for itself.
 */
import { builtin } from "../util/builtin.ts";
import type { Computation } from "./computations.ts";

interface Storage {
  run<R>(computation: Computation, work: () => R): R;
  getStore(): Computation | undefined;
}
interface Hooks {
  readonly AsyncLocalStorage: new () => Storage;
}
interface Runtime {
  readonly Deno?: unknown;
  readonly process?: { readonly versions?: { readonly node?: string; readonly bun?: string } };
}

let storage: Storage | undefined;
let loading: Promise<void> | undefined;

/**
 * false on Node below 24, where AsyncLocalStorage makes every await of the program slower (a hit in memory 1.3 times): there
 * it is used only where an option asks for it.
 */
export function isContextFree(): boolean {
  const { Deno, process } = globalThis as unknown as Runtime;
  return Deno !== undefined || process?.versions?.bun !== undefined ||
    Number.parseInt(process?.versions?.node ?? "0", 10) >= 24;
}

/**
 * Loads AsyncLocalStorage, once a process. To load it synchronously costs Deno 14 to 19 ms, so there it loads in the
 * background, and the first computations wait for it. On a runtime that lacks it calls are not known by their computation.
 */
export function openContext(): void {
  if (storage !== undefined || loading !== undefined) return;
  const open = ({ AsyncLocalStorage }: Hooks) => void (storage = new AsyncLocalStorage());
  if ((globalThis as unknown as Runtime).Deno === undefined) {
    try {
      return open(builtin<Hooks>("node:async_hooks"));
    } catch { /* Another runtime, which may have it to be imported. */ }
  }
  loading = import("node:async_hooks").then(open as (hooks: object) => void, () => {}).then(() => loading = undefined);
}

/** Settles once AsyncLocalStorage is loaded, which a computation waits for before it runs; `undefined`: it need not wait. */
export const contextOpening = (): Promise<void> | undefined => loading;

/** The computation that this call comes from; `undefined`: none. */
export const currentComputation = (): Computation | undefined => storage?.getStore();

/** Runs a computation, so that calls inside it know whose they are. */
export const runAs = <R>(computation: Computation, work: () => R): R =>
  storage === undefined ? work() : storage.run(computation, work);

/** Notes that a computation waits for another one. Returns the way to take it back, once. */
export function noteWait(from: Computation | undefined, to: Computation): () => void {
  if (from === undefined) return () => {};
  const { waitsFor } = from;
  waitsFor.set(to, (waitsFor.get(to) ?? 0) + 1);
  return () => {
    const count = waitsFor.get(to) ?? 0;
    if (count > 1) waitsFor.set(to, count - 1);
    else waitsFor.delete(to);
  };
}

/** Would a call that is made now wait for itself, if it waited for one of these? It would, until `mintDelay`. */
export function closesCircle(...awaited: readonly (Computation | undefined)[]): boolean {
  const from = currentComputation();
  if (from === undefined) return false;
  const seen = new Set(awaited);
  for (const one of seen) {
    if (one === from) return true;
    for (const next of one?.waitsFor.keys() ?? []) seen.add(next);
  }
  return false;
}
