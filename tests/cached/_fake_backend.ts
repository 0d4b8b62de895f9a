import type { Backend, EntryOptions, FetchOptions, Groups } from "../../src/backend/backend.ts";
import { resetWarnings } from "../../src/util/warnings.ts";

/** A verb as the backend was asked for it. */
export interface Asked {
  readonly verb: string;
  readonly key: string;
  // deno-lint-ignore no-explicit-any
  readonly options?: any;
}

/** A Map with the semantics of a backend: values stay until they are deleted or their groups are invalidated. */
export class FakeBackend implements Backend {
  readonly groups?: false | undefined;
  readonly kept: Map<string, { value: unknown; groups: readonly string[] }> = new Map();
  readonly asked: Asked[] = [];

  constructor(options: { groups?: false } = {}) {
    this.groups = options.groups;
  }

  /** The last verb it was asked for. */
  get last(): Asked {
    return this.asked.at(-1)!;
  }

  async fetch<T>(
    key: string,
    compute: (signal: AbortSignal) => T | Promise<T>,
    options: FetchOptions<T> = {},
  ): Promise<T> {
    this.asked.push({ verb: "fetch", key, options });
    const { force = false, when = (value: T) => value !== undefined && value !== null } = options;
    const found = force ? undefined : this.#find(key, options.group);
    if (found !== undefined) return found.value as T;
    const value = await compute(new AbortController().signal);
    if (when(value)) this.#keep(key, value, options);
    return value;
  }

  get<T>(key: string, options: { group?: Groups | undefined } = {}): Promise<T | undefined> {
    this.asked.push({ verb: "get", key, options });
    return Promise.resolve(this.#find(key, options.group)?.value as T | undefined);
  }

  getMany<T>(): Promise<Map<string, T>> {
    return Promise.reject(new Error("not asked by cached"));
  }

  set<T>(key: string, value: T, options: EntryOptions<T> = {}): Promise<void> {
    this.asked.push({ verb: "set", key, options });
    this.#keep(key, value, options);
    return Promise.resolve();
  }

  add(): Promise<boolean> {
    return Promise.reject(new Error("not asked by cached"));
  }

  delete(key: string): Promise<void> {
    this.asked.push({ verb: "delete", key });
    this.kept.delete(key);
    return Promise.resolve();
  }

  invalidateGroup(...groups: string[]): Promise<void> {
    this.asked.push({ verb: "invalidateGroup", key: groups.join() });
    for (const [key, entry] of this.kept) {
      if (entry.groups.some((group) => groups.includes(group))) this.kept.delete(key);
    }
    return Promise.resolve();
  }

  key(key: string): string {
    return key;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #find(key: string, group: Groups | undefined): { value: unknown } | undefined {
    const entry = this.kept.get(key);
    return entry !== undefined && entry.groups.join() === namesOf(group).join() ? entry : undefined;
  }

  #keep<T>(key: string, value: T, { ttl, group }: EntryOptions<T>): void {
    const now = typeof ttl === "function" ? ttl(value) : ttl;
    if (typeof now === "number" && now <= 0) this.kept.delete(key);
    else this.kept.set(key, { value, groups: namesOf(group) });
  }
}

const namesOf = (group: Groups | undefined): readonly string[] =>
  group === undefined ? [] : [...new Set(typeof group === "string" ? [group] : group)].sort();

/** What is written to `console.warn` while `work` runs. */
export async function warnings(work: () => unknown): Promise<string[]> {
  const told: string[] = [];
  resetWarnings();
  const warn = console.warn;
  console.warn = (...words: unknown[]) => void told.push(words.join(" "));
  try {
    await work();
  } finally {
    console.warn = warn;
  }
  return told;
}
