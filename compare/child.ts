/**
 * One process of a fleet: `child.ts CONTENDER PORT FOLDER`. It reads orders and writes reports, a line of JSON each, and
 * ends with its standard input. What its function computes, and when, its parent says.
 */

import { pathToFileURL } from "node:url";
import { type Cache, contenders, type Setting } from "./contenders.ts";
import type { CacheName, Order, Report } from "./fleet.ts";
import { describe, valueOf } from "./values.ts";

const [name, port, folder] = Deno.args as [string, string, string];
const contender = contenders.find((each) => each.name === name)!;
const encoder = new TextEncoder();
const report = (what: Report) => {
  const bytes = encoder.encode(`${JSON.stringify(what)}\n`);
  for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
};
// Standard output carries reports only.
console.log = console.error;

/** Computations that wait for what the source holds. */
const reads = new Map<number, (text: string) => void>();
let readCount = 0;

async function compute(key: string): Promise<unknown> {
  const read = ++readCount;
  const text = await new Promise<string>((resolve) => {
    reads.set(read, resolve);
    report({ kind: "read", read, key });
  });
  return valueOf(text);
}

const settings: Record<CacheName, Partial<Setting>> = {
  memory: { ttlSeconds: 3600 },
  shared: { ttlSeconds: 3600, port: Number(port) },
  short: { ttlSeconds: 1, port: Number(port) },
  bounded: { ttlSeconds: 3600, port: Number(port), storeTimeoutMs: 1000 },
};
const caches = new Map<CacheName, Promise<Cache>>();

function cacheOf(cacheName: CacheName): Promise<Cache> {
  let cache = caches.get(cacheName);
  if (cache === undefined) {
    const setting = { staleSeconds: 3600, compute, load, ...settings[cacheName] } as Setting;
    caches.set(cacheName, cache = (async () => await contender.open(setting))());
  }
  return cache;
}

/** A bare name is looked up from the file that names it, so a file of that folder imports it. */
async function load<M>(specifier: string): Promise<M> {
  const { default: from } = await import(pathToFileURL(`${folder}/load.mjs`).href) as {
    default(name: string): Promise<unknown>;
  };
  return await from(specifier) as M;
}

async function obey({ id, verb, cache: cacheName, key, byGroup, expects }: Order): Promise<void> {
  let began = performance.now();
  try {
    const cache = await cacheOf(cacheName);
    const verbs = byGroup ? cache.byGroup! : cache;
    began = performance.now();
    const promise = verbs[verb](key);
    report({ kind: "begun", id });
    const given = await promise;
    const ms = performance.now() - began;
    const text = (given as { part?: unknown } | undefined)?.part;
    const result = expects === undefined ? String(text) : text === "again" ? "again" : describe(expects, given);
    report({ kind: "done", id, result, ms });
  } catch (error) {
    report({ kind: "failed", id, error: String(error), ms: performance.now() - began });
  }
}

let rest = "";
for await (const text of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
  const lines = (rest + text).split("\n");
  rest = lines.pop()!;
  for (const line of lines) {
    const message = JSON.parse(line) as Order | { verb: "answer"; read: number; text: string };
    if (message.verb !== "answer") obey(message);
    else {
      reads.get(message.read)?.(message.text);
      reads.delete(message.read);
    }
  }
}
Deno.exit(0);
