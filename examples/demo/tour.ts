/** The tour: requests to the services, what they led to, and whether that is what was promised. */
import { type Happening, lineOf } from "./journal.ts";
import { populationTtlMs } from "./service.ts";

/** A promise of the tour was not kept. */
export class Disappointment extends Error {}

interface Asking {
  readonly method?: string;
  readonly body?: string;
  /** Its cache-control. */
  readonly control?: string;
  /** The status that is promised. */
  readonly status?: number;
}
type Counts = Partial<Record<Happening["what"], number | { least: number; most: number }>>;

/** "A" is the first service, "B" the second ... */
const letter = (index: number) => String.fromCharCode(65 + index);
const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
/** How often the tour looks whether what goes on behind the answers is done. */
const pauseMs = 20;
const oslo = 3143244;
const bergen = 3161732;

export class Tour {
  readonly #urls: readonly string[];
  /** How long what goes on behind the answers may take. */
  readonly #patienceMs: number;
  /** How far each service's journal was read. */
  readonly #read: number[];
  /** What was asked since then, and how often. */
  #asked = new Map<string, number>();

  constructor(urls: readonly string[], patienceMs = 30_000) {
    this.#urls = urls;
    this.#patienceMs = patienceMs;
    this.#read = urls.map(() => 0);
  }

  async run(): Promise<void> {
    const all = this.#urls.map((_, index) => index);
    const last = all.length - 1; // in one process A does it all; in a fleet the last member does what the others see
    const others = all.length - 1;

    say("A miss computes. A hit does not.");
    const nearest = `/cities/${oslo}/nearest?limit=3`;
    const first = await this.#get(0, nearest);
    await this.#untilKept(nearest);
    for (const index of [...all, last]) same(await this.#get(index, nearest), first, "a hit is what the miss was");
    await this.#expect({ computed: 1, miss: 1, hit: all.length + 1 });
    note(`Oslo: ${(first as { name: string; km: number }[]).map(({ name, km }) => `${name} ${km} km`).join(", ")}`);

    say("Twenty callers at once: one computes, the others wait for it.");
    const twenty = Array.from({ length: 20 }, (_, index) => index % all.length);
    await Promise.all(twenty.map((index) => this.#get(index, "/countries/br/remote")));
    // On a busy machine a request may arrive when the value is there already: a hit.
    await this.#expect({ computed: 1, miss: 1, wait: { least: 0, most: 19 }, hit: { least: 0, most: 19 } }, 21);

    say("A stale value is served while ONE caller refreshes it.");
    const before = await this.#get(0, "/population") as number;
    const freshUntil = performance.now() + populationTtlMs;
    await this.#untilKept("/population");
    const { population } = await this.#get(last, `/cities/${oslo}`) as { population: number };
    const more = JSON.stringify({ population: population + 1000 });
    await this.#get(last, `/cities/${oslo}`, { method: "PATCH", body: more });
    await this.#expect({ computed: 1, miss: 1, invalidate: 1 });
    note(`its ttl is ${populationTtlMs / 1000} s: waiting for its end`);
    await sleep(freshUntil - performance.now() + 20);
    const served = await Promise.all(all.map((index) => this.#get(index, "/population")));
    // One that came late may already be given the refreshed value.
    same(served.find((people) => people === before), before, "the old value is served");
    await this.#expect(
      { computed: 1, refresh: 1, stale: { least: 1, most: all.length }, hit: { least: 0, most: others } },
      all.length + 2,
    );
    // A peek: on a machine that was busy meanwhile a call could find the refreshed value stale in its turn.
    for (const index of all) {
      const refreshed = await this.#get(index, "/population", { control: "only-if-cached" });
      same(refreshed, before + 1000, "then the refreshed one");
    }
    await this.#expect({});

    say("peek never computes, refresh always does, invalidate forgets one call.");
    const four = `/cities/${oslo}/nearest?limit=4`;
    await this.#get(0, four, { status: 504, control: "only-if-cached" });
    await this.#get(0, four);
    await this.#untilKept(four);
    await this.#get(last, four, { control: "only-if-cached" });
    await this.#expect({ computed: 1, miss: 1 });
    note("peek found nothing, then what the call had kept, and ran nothing");
    await this.#get(0, four, { control: "no-cache" });
    await this.#expect({ computed: 1, miss: 1 });
    note("refresh computed, although a value was kept");
    await this.#get(last, four, { method: "DELETE", status: 204 });
    for (const index of all) {
      await this.#get(index, four);
      await this.#untilKept(four);
    }
    await this.#expect({ invalidate: 1, computed: 1, miss: 1, hit: others });

    say("A write invalidates its groups after the commit: one country's, and no other's.");
    await this.#get(0, "/countries/no/remote");
    await this.#get(0, "/countries/se/remote");
    await this.#untilKept("/countries/no/remote");
    await this.#untilKept("/countries/se/remote");
    await this.#expect({ computed: 2, miss: 2 });
    await this.#get(last, `/cities/${bergen}`, { method: "PATCH", body: JSON.stringify({ name: "Bjørgvin" }) });
    for (const index of all) {
      const norway = JSON.stringify(await this.#get(index, "/countries/no/remote"));
      if (!norway.includes("Bjørgvin")) throw new Disappointment(`Norway's cities are older than the write: ${norway}`);
      await this.#untilKept("/countries/no/remote");
    }
    for (const index of all) await this.#get(index, "/countries/se/remote");
    await this.#expect({ invalidate: 1, computed: 1, miss: 1, hit: all.length + others });
    note("Norway was computed again, once, and knows Bergen by its new name; Sweden is a hit");

    say("An error reaches its caller as it is, and is not kept.");
    for (const index of [0, last]) await this.#get(index, "/cities/1/nearest", { status: 404 });
    await this.#expect({ computed: 2, error: 2 });
  }

  /**
   * Resolves when a value that was answered is in the store, so that every service finds it. Whoever computes answers
   * while the value is still on its way there, and until it has arrived others find nothing, or wait. Peeks are no
   * calls: the journals do not show them.
   */
  async #untilKept(path: string): Promise<void> {
    for (const began = performance.now(); performance.now() - began < this.#patienceMs; await sleep(pauseMs)) {
      const response = await fetch(`${this.#urls[0]}${path}`, { headers: { "cache-control": "only-if-cached" } });
      await response.text();
      if (response.status === 200) return;
    }
    throw new Disappointment(`${path} was answered, yet it was not kept within ${this.#patienceMs} ms`);
  }

  /** The answer of one request to one service. */
  async #get(
    index: number,
    path: string,
    { method = "GET", status = 200, control, body }: Asking = {},
  ): Promise<unknown> {
    const request = [`${method} ${path}`, control === undefined ? "" : `cache-control: ${control}`, body ?? ""];
    const line = request.filter((part) => part !== "").join("   ");
    this.#asked.set(line, (this.#asked.get(line) ?? 0) + 1);
    const headers: HeadersInit = control === undefined ? {} : { "cache-control": control };
    const response = await fetch(`${this.#urls[index]}${path}`, { method, headers, body: body ?? null });
    const text = await response.text();
    if (response.status !== status) {
      throw new Disappointment(`${method} ${path} was answered ${response.status} ${text}, not ${status}`);
    }
    return text === "" ? undefined : JSON.parse(text);
  }

  /** Prints what happened since the last time, and compares. Waits for what goes on behind the answers: `total` in all. */
  async #expect(counts: Counts, total = leastOf(counts)): Promise<void> {
    const seen: { who: string; happening: Happening }[] = [];
    for (const began = performance.now(); performance.now() - began < this.#patienceMs; await sleep(pauseMs)) {
      for (const [index, url] of this.#urls.entries()) {
        const response = await fetch(`${url}/journal?since=${this.#read[index]}`);
        const { next, happenings } = await response.json() as { next: number; happenings: Happening[] };
        this.#read[index] = next;
        const who = this.#urls.length === 1 ? "" : letter(index);
        seen.push(...happenings.map((happening) => ({ who, happening })));
      }
      if (seen.length >= total) break;
    }
    for (const [request, times] of this.#asked) console.log(`  ${request}${times === 1 ? "" : `   x ${times}`}`);
    this.#asked.clear();
    seen.sort((a, b) => a.happening.at - b.happening.at);
    print(seen);
    for (const what of new Set([...Object.keys(counts), ...seen.map(({ happening }) => happening.what)])) {
      const wanted = counts[what as Happening["what"]] ?? 0;
      const { least, most } = typeof wanted === "number" ? { least: wanted, most: wanted } : wanted;
      const found = seen.filter(({ happening }) => happening.what === what).length;
      if (found < least || found > most) {
        throw new Disappointment(
          `${what}: ${found} times, where ${least === most ? least : `${least} to ${most}`} was promised`,
        );
      }
    }
  }
}

/** How many happenings were promised at least. */
function leastOf(counts: Counts): number {
  return Object.values(counts).reduce(
    (sum: number, count) => sum + (typeof count === "number" ? count : count.least),
    0,
  );
}

/** Like ones become one line, with the longest time among them. */
function print(seen: readonly { who: string; happening: Happening }[]): void {
  const lines = new Map<string, { who: string; happening: Happening; times: number }>();
  for (const { who, happening } of seen) {
    const like = `${who} ${happening.what} ${happening.key}`;
    const line = lines.get(like);
    if (line === undefined) lines.set(like, { who, happening, times: 1 });
    else {
      line.times += 1;
      if ((happening.ms ?? 0) > (line.happening.ms ?? 0)) line.happening = happening;
    }
  }
  for (const { who, happening, times } of lines.values()) console.log(lineOf(happening, who, times));
}

function say(title: string): void {
  console.log(`\n${title}`);
}

function note(text: string): void {
  console.log(`    ${text}`);
}

function same(found: unknown, wanted: unknown, promise: string): void {
  if (JSON.stringify(found) !== JSON.stringify(wanted)) {
    throw new Disappointment(`${promise}: ${JSON.stringify(found)} is not ${JSON.stringify(wanted)}`);
  }
}
