/**
 * A TCP proxy on loopback that breaks connections as a test tells it: at which byte, in which direction, and how. It knows
 * nothing of any protocol.
 */

import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import type { Random } from "../../src/util/random.ts";

/** What happens to one direction once so many of its bytes have passed. */
export type Step =
  /** Both sides are closed: what has passed arrives, then the end. */
  | { readonly at: number; readonly how: "end" }
  /** The client's side is reset (RST); what has passed may be lost on the way. */
  | { readonly at: number; readonly how: "reset" }
  /** The client is told the end, and yet it is still read from. */
  | { readonly at: number; readonly how: "half-close" }
  /** Nothing passes any more, and nobody is told. */
  | { readonly at: number; readonly how: "half-open" }
  /** Nothing passes for so long, then all of it. */
  | { readonly at: number; readonly how: "hold"; readonly ms: number }
  /** The next bytes pass one by one, each in a packet of its own. */
  | { readonly at: number; readonly how: "slice"; readonly bytes: number };

/** What happens to one connection. Steps stand in the order of their places. */
export interface Plan {
  readonly requests?: readonly Step[];
  readonly replies?: readonly Step[];
}

/** A proxy that ends with the scope. */
export interface Proxy extends AsyncDisposable {
  /** `host:port`, as a client is given it. */
  readonly address: string;
  /** The plan of the nth connection, from 1 on. May be replaced; connections that are open keep theirs. */
  plan: (n: number) => Plan;
  /** How often each kind of step was taken. */
  readonly taken: Map<Step["how"], number>;
  /** Connections so far. */
  readonly accepted: number;
  /** Ends every connection; resolves once the clients have closed theirs, too. */
  drop(): Promise<void>;
}

/** One connection: the client's side and the server's. */
class Link {
  readonly client: Socket;
  readonly server: Socket;
  readonly closed: Promise<unknown>;
  readonly #taken: Map<Step["how"], number>;
  /** Ends a pause early. */
  #wake: (() => void) | undefined;

  constructor(client: Socket, server: Socket, plan: Plan, taken: Map<Step["how"], number>) {
    this.client = client;
    this.server = server;
    this.#taken = taken;
    // A reset is what it is here for.
    for (const socket of [client, server]) socket.on("error", () => {});
    this.closed = new Promise<void>((resolve) => client.once("close", () => resolve()));
    client.once("close", () => {
      server.destroy();
      this.#wake?.();
    });
    this.#carry(client, server, plan.requests ?? []);
    this.#carry(server, client, plan.replies ?? []);
  }

  /** Carries bytes in one direction, step by step. */
  async #carry(from: Socket, to: Socket, plan: readonly Step[]): Promise<void> {
    const pieces: Uint8Array[] = [];
    let ended = false;
    let tell = () => {};
    from.on("data", (piece: Uint8Array) => {
      pieces.push(piece);
      tell();
    });
    for (const event of ["end", "close"]) {
      from.on(event, () => {
        ended = true;
        tell();
      });
    }
    const steps = [...plan];
    let passed = 0;
    let slice = 0;
    for (;;) {
      for (; steps.length > 0 && steps[0]!.at <= passed; steps.shift()) {
        const step = steps[0]!;
        if (step.how === "slice") slice = step.bytes;
        if (!await this.#take(step)) return;
      }
      const piece = pieces[0];
      if (piece === undefined) {
        if (ended) break;
        await new Promise<void>((resolve) => tell = resolve);
        continue;
      }
      const most = Math.min(piece.length, (steps[0]?.at ?? Infinity) - passed, slice > 0 ? 1 : Infinity);
      to.write(piece.subarray(0, most));
      passed += most;
      if (most === piece.length) pieces.shift();
      else pieces[0] = piece.subarray(most);
      if (slice > 0) {
        slice--;
        // A turn of the event loop, so that the byte is on its way.
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
    to.end();
  }

  /** false: this direction carries nothing any more. */
  async #take(step: Step): Promise<boolean> {
    const { client, server } = this;
    if (client.destroyed) return false;
    this.#taken.set(step.how, (this.#taken.get(step.how) ?? 0) + 1);
    switch (step.how) {
      case "end":
        // As a server ends that died: it reads nothing any more either.
        client.end(() => client.destroy());
        server.destroy();
        return false;
      case "half-close":
        client.end();
        return false;
      case "reset":
        client.resetAndDestroy();
        return false;
      case "half-open":
        return false;
      case "hold":
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, step.ms);
          this.#wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
        return !client.destroyed;
      case "slice":
        return true;
    }
  }
}

/** A proxy in front of a server on this port of 127.0.0.1. */
export async function openProxy(port: number, plan: (n: number) => Plan = () => ({})): Promise<Proxy> {
  const links = new Set<Link>();
  const taken = new Map<Step["how"], number>();
  let accepted = 0;
  const listener = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    const server = connect({ host: "127.0.0.1", port, noDelay: true });
    const link = new Link(client, server, proxy.plan(++accepted), taken);
    links.add(link);
    link.closed.then(() => links.delete(link));
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const drop = async () => {
    const open = [...links];
    for (const { client, server } of open) {
      client.end();
      server.destroy();
    }
    await Promise.all(open.map(({ closed }) => closed));
  };
  const proxy: Proxy = {
    address: `127.0.0.1:${(listener.address() as { port: number }).port}`,
    plan,
    taken,
    get accepted() {
      return accepted;
    },
    drop,
    [Symbol.asyncDispose]: async () => {
      const closed = once(listener, "close");
      listener.close();
      for (const { client, server } of links) {
        client.destroy();
        server.destroy();
      }
      await closed;
    },
  };
  return proxy;
}

/** How a connection may end, and what may happen to it before. */
const ENDS = ["end", "reset", "half-close", "half-open", "end", "reset"] as const;

/**
 * A plan by chance: perhaps bytes one by one, perhaps a pause of `holdMs` to twice that (longer than the client waits, so
 * that what comes then comes too late), and then an end. Every connection meets one.
 */
export function planByChance(random: Random, holdMs: number): Plan {
  const below = (n: number) => Math.floor(random.fraction() * n);
  // Small places are the interesting ones: within a header, at its end, within a first value.
  const place = () => below([60, 400, 3000, 60_000][below(4)]!);
  const steps: Step[] = [{ at: place(), how: ENDS[below(ENDS.length)]! }];
  if (random.fraction() < 0.3) steps.push({ at: place(), how: "slice", bytes: 1 + below(200) });
  if (random.fraction() < 0.3) steps.push({ at: place(), how: "hold", ms: holdMs * (1 + random.fraction()) });
  steps.sort((a, b) => a.at - b.at);
  return random.fraction() < 0.8 ? { replies: steps } : { requests: steps };
}
