/**
 * Whose computation a call comes from, told by the runtime's AsyncLocalStorage, and who waits for whom in this process.
 *
 *   1. a computes, and calls b       2. b computes, and calls a       3. a's lease is held by 1, which waits for 2
 *
 * Without this the call at 3 would wait until `mintDelay`. It is entered only where a computation runs.
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

/** On Node below 24 it makes every await of the program dearer (a hit in memory 1.3 times), so there it is asked for. */
export function isContextFree(): boolean {
  const { Deno, process } = globalThis as unknown as Runtime;
  return Deno !== undefined || process?.versions?.bun !== undefined ||
    Number.parseInt(process?.versions?.node ?? "0", 10) >= 24;
}

/**
 * Makes it ready. In Deno to load a module at once costs 14 to 19 ms, so there it is loaded meanwhile, and the first
 * computations wait for it. A runtime without it goes without.
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

/** What a computation has to wait for before it runs; `undefined`: nothing. */
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
export function closesCircle(...awaited: readonly Computation[]): boolean {
  const from = currentComputation();
  if (from === undefined) return false;
  const seen = new Set(awaited);
  for (const one of seen) {
    if (one === from) return true;
    for (const next of one.waitsFor.keys()) seen.add(next);
  }
  return false;
}
