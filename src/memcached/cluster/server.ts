/** One server: its connections, and whether it is dead or alive. */

import { responsiveTime } from "../../util/deadline.ts";
import { type Clock, elapsedMs, type Moment, momentOf } from "../../util/clock.ts";
import { AuthError, type MemcachedError } from "../../errors.ts";
import type { Random } from "../../util/random.ts";
import type { Address } from "../../socket/socket.ts";
import { answerConnectionLost } from "../connection/reply.ts";
import { Connection, type ConnectionListener, type ConnectionOptions, type End } from "../connection/connection.ts";
import { closed, dead, lost } from "../connection/failure.ts";
import { Negotiation, type Protocol } from "../connection/negotiation.ts";
import type { Operation } from "../connection/operation.ts";

/** What all servers of a client have in common. */
export interface ServerOptions extends ConnectionOptions {
  readonly protocol: Protocol;
  /** How many a server may have. */
  readonly connections: number;
  readonly random: Random;
}

/** What a server reports to its client. */
export interface ServerListener {
  connected(server: Server, ms: number): void;
  died(server: Server, cause: MemcachedError, retryMs: number): void;
  /** It is dead, and a try to connect has failed once more. */
  probeFailed(server: Server): void;
  revived(server: Server): void;
  /** It was to keep no idle connection, and has none now. */
  idle(server: Server): void;
}

/** So many failures in a row, and a server is dead. */
const MOST_FAILURES = 2;
/** A connection that was silent for so long, with nothing in flight, is idle. */
const IDLE_MS = 100;
/** A probe later than this was held up by a frozen process: whoever asks then waits for it. */
const OVERDUE_MS = 50;
/** The pause before a dead server is probed: at first, and at most. */
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 4000;
/** A pause differs by so much at most, so that many clients do not come at once. */
const PAUSE_SPREAD = 0.2;

/** A server that is dead. */
interface Down {
  /** The last failure. */
  cause: MemcachedError;
  /** When its pause began, and how long that is. */
  pausedAt: Moment;
  retryMs: number;
  timer: unknown;
  /** The one connection by which it is tried again. */
  probe: Connection | undefined;
  /** An operation began the probe, so operations wait for it. */
  awaited: boolean;
}

/** A server with its connections. */
export class Server implements ConnectionListener {
  readonly name: string;
  readonly #address: Address;
  readonly #negotiation: Negotiation;
  readonly #options: ServerOptions;
  readonly #listener: ServerListener;
  readonly #clock: Clock;
  readonly #connections: (Connection | undefined)[];
  /** The index of the connection that is asked next. */
  #next = 0;
  /** How many failures came in a row. */
  #failures = 0;
  /** Since the last answer to a real request: a probe that is answered shows nothing of what a server is for. */
  #probes = 0;
  #down: Down | undefined;
  #keepsIdle = true;
  /** Looks for idle connections; only while there are connections that are not to be kept. */
  #idleTimer: unknown;
  #closed = false;
  #resolveClosed: (() => void) | undefined;

  /** No connection is opened yet. */
  constructor(name: string, address: Address, options: ServerOptions, listener: ServerListener) {
    this.name = name;
    this.#address = address;
    this.#negotiation = new Negotiation(options.protocol);
    this.#options = options;
    this.#listener = listener;
    this.#clock = options.clock;
    this.#connections = new Array(options.connections).fill(undefined);
  }

  get dead(): boolean {
    return this.#down !== undefined;
  }

  /** The load of the connection that is asked next. A dead server refuses at once, so it has none. */
  get load(): number {
    return (this.#down === undefined ? this.#connections[this.#next] : this.#down.probe)?.load ?? 0;
  }

  /** The load of the fullest of its connections. */
  get fullest(): number {
    if (this.#down !== undefined) return this.load;
    return this.#connections.reduce((most, one) => Math.max(most, one?.load ?? 0), 0);
  }

  /** For how long the youngest of its connections could send. */
  get sendableMs(): number {
    let ms = this.#down?.probe?.sendableMs ?? Infinity;
    for (const one of this.#connections) if (one !== undefined) ms = Math.min(ms, one.sendableMs);
    return ms;
  }

  /** Sends an operation on the next of its connections. */
  ask(operation: Operation): void {
    if (this.#closed) return operation.fail(closed(operation, this.name));
    if (this.#down !== undefined) return this.#askDead(operation, this.#down);
    const index = this.#next;
    this.#next = index + 1 === this.#connections.length ? 0 : index + 1;
    (this.#connections[index] ??= this.#connect()).send(operation);
  }

  /** Sends a fenced operation on the connection that gave its cas, or not at all. */
  askOn(origin: object, operation: Operation): void {
    if (this.#closed) return operation.fail(closed(operation, this.name));
    // duty a: on the connection that gave the cas, or not at all
    const connection = this.#connections.find((one) => one === origin);
    if (connection === undefined || !connection.alive) return answerConnectionLost(operation);
    operation.fenced = true;
    connection.send(operation);
  }

  /** Does it keep connections that nobody uses? Where it does not, they are opened again for whoever asks. */
  set keepsIdle(keeps: boolean) {
    this.#keepsIdle = keeps;
    this.#watchIdle();
  }

  /** Resolves when every operation has settled and no connection and no timer is left. */
  close(): Promise<void> {
    this.#closed = true;
    this.#clock.clearTimeout(this.#idleTimer);
    this.#clock.clearTimeout(this.#down?.timer);
    this.#down?.probe?.drain();
    for (const connection of [...this.#connections]) connection?.drain();
    return new Promise((resolve) => {
      this.#resolveClosed = resolve;
      this.#resolveIfClosed();
    });
  }

  // ── what its connections report ──

  ready(connection: Connection, ms: number): void {
    const isRevived = this.#down !== undefined && this.#down.probe === connection;
    if (isRevived) {
      this.#down = undefined;
      this.#failures = 0;
      this.#probes++;
      this.#connections[0] = connection;
    }
    this.#listener.connected(this, ms);
    if (isRevived) this.#listener.revived(this);
  }

  answered(): void {
    this.#failures = this.#probes = 0;
  }

  ended(connection: Connection, end: End): void {
    const { cause, how, retryable } = end;
    const index = this.#connections.indexOf(connection);
    if (index !== -1) this.#connections[index] = undefined;
    const probed = this.#down?.probe === connection ? this.#down : undefined;
    if (how === "reopen" && probed !== undefined) {
      const probe = probed.probe = this.#connect();
      this.#sendAll(retryable, probe);
      return;
    }
    if (probed !== undefined) this.#probeFailed(probed, cause);
    else if (this.#down === undefined) {
      this.#failures += this.#failuresShownBy(end);
      if (this.#failures >= MOST_FAILURES) this.#die(cause);
      else if (how === "silent") this.#replaceSilent(index, end);
    }
    if (this.#down !== undefined || index === -1) {
      for (const operation of retryable) {
        operation.fail(lost(operation, this.name, cause, operation.repeated ? "sent" : "unsent"));
      }
    } else if (retryable.length > 0) this.#sendAll(retryable, this.#connections[index] ??= this.#connect());
    this.#resolveIfClosed();
  }

  /** On a new connection, also while closing: they were asked before. */
  #sendAll(operations: readonly Operation[], connection: Connection): void {
    for (const operation of operations) connection.send(operation);
    if (this.#closed) connection.drain();
  }

  /** How often the server itself has failed, as the end of one of its connections shows. */
  #failuresShownBy({ cause, wasReady, unanswered, how, quietSince }: End): number {
    switch (how) {
      case "broken":
        if (cause instanceof AuthError) return MOST_FAILURES;
        return !wasReady || unanswered ? 1 : 0;
      case "hung":
        return this.#answersElsewhere(quietSince) ? 1 : MOST_FAILURES;
      case "silent":
        // However many were forgotten on the way, it is one failure: a new connection shows whether the server is there.
        return this.#failures === 0 ? 1 : 0;
      default:
        return 0;
    }
  }

  /**
   * Opens the new connection now: the next call shall find it ready, or its server dead. What has forgotten one idle
   * connection has forgotten the others as well, so they end, before a call waits for one of them in vain.
   */
  #replaceSilent(index: number, { cause, quietSince }: End): void {
    if (!this.#answersElsewhere(quietSince)) {
      for (const one of [...this.#connections]) if (one?.idle) one.destroy(cause);
    }
    if (index !== -1 && !this.#closed) this.#connections[index] = this.#connect();
  }

  /** Bytes have come on another of its connections since. */
  #answersElsewhere(since: number): boolean {
    return this.#connections.some((one) => one !== undefined && one.lastByteAt > since);
  }

  #connect(): Connection {
    this.#watchIdle();
    return new Connection(this.name, this.#address, this.#negotiation, this.#options, this);
  }

  #watchIdle(): void {
    this.#clock.clearTimeout(this.#idleTimer);
    if (this.#keepsIdle || this.#closed) return;
    this.#idleTimer = this.#setTimer(() => this.#becomeIdle(), IDLE_MS);
  }

  /** Closes its connections if nobody uses them. A dead server is not probed then before somebody asks it. */
  #becomeIdle(): void {
    const silentSince = responsiveTime(this.#clock) - IDLE_MS;
    const isUsed = this.#connections.some((one) => one !== undefined && !(one.idle && one.lastByteAt <= silentSince));
    if (isUsed || this.#down?.probe !== undefined) return this.#watchIdle();
    for (const connection of [...this.#connections]) connection?.drain();
    this.#clock.clearTimeout(this.#down?.timer);
    this.#listener.idle(this);
  }

  // ── dead or alive ──

  #die(cause: MemcachedError): void {
    const pausedAt = momentOf(this.#clock);
    const down: Down = { cause, pausedAt, retryMs: 0, timer: undefined, probe: undefined, awaited: false };
    this.#down = down;
    this.#failures = 0;
    this.#pause(down);
    // Its other connections are of no use either. Their ends find it dead already, and its next probe due.
    for (const connection of [...this.#connections]) connection?.destroy(cause);
    if (!this.#closed) this.#listener.died(this, cause, down.retryMs);
  }

  #askDead(operation: Operation, down: Down): void {
    if (down.probe === undefined && elapsedMs(this.#clock, down.pausedAt) > down.retryMs + OVERDUE_MS) {
      this.#probe(down);
      down.awaited = true;
    }
    if (down.awaited && down.probe !== undefined) down.probe.send(operation);
    else operation.fail(dead(operation, this.name, down.cause));
  }

  #pause(down: Down): void {
    down.pausedAt = momentOf(this.#clock);
    down.retryMs = pauseMs(this.#probes, this.#options.random.fraction());
    if (!this.#closed) down.timer = this.#setTimer(() => this.#probe(down), down.retryMs);
  }

  #probe(down: Down): void {
    if (down.probe !== undefined || this.#closed) return;
    this.#clock.clearTimeout(down.timer);
    down.probe = this.#connect();
  }

  #probeFailed(down: Down, cause: MemcachedError): void {
    down.cause = cause;
    down.probe = undefined;
    down.awaited = false;
    this.#probes++;
    if (this.#closed) return;
    this.#pause(down);
    this.#listener.probeFailed(this);
  }

  /** It does not keep the process alive. */
  #setTimer(wake: () => void, ms: number): unknown {
    const timer = this.#clock.setTimeout(wake, ms);
    this.#clock.unref?.(timer);
    return timer;
  }

  #resolveIfClosed(): void {
    if (this.#down?.probe === undefined && this.#connections.every((one) => one === undefined)) this.#resolveClosed?.();
  }
}

/** The pause before the next probe after so many in vain: 1 s, 2 s, then 4 s, each ±20 %. `fraction`: chance, in [0, 1). */
export function pauseMs(failedProbes: number, fraction: number): number {
  const pause = Math.min(FIRST_PAUSE_MS * 2 ** failedProbes, LONGEST_PAUSE_MS);
  return pause * (1 - PAUSE_SPREAD + 2 * PAUSE_SPREAD * fraction);
}
