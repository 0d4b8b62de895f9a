/** One server: its connections, and whether it is dead or alive. */

import { responsiveTime } from "../../util/deadline.ts";
import { type Clock, elapsedMs, type Moment, momentOf } from "../../util/clock.ts";
import { AuthError, type MemcachedError } from "../../errors.ts";
import type { Random } from "../../util/random.ts";
import { answerConnectionLost } from "../connection/reply.ts";
import { pauseMs } from "./backoff.ts";
import type { Connection } from "../connection/connection.ts";
import type { ConnectionListener, ConnectionSettings, End } from "../connection/contract.ts";
import { closed, dead, lost } from "../connection/failure.ts";
import type { Operation } from "../connection/operation.ts";
import { hasWires, loadWires, type Protocol } from "../connection/negotiation.ts";

/** `undefined` until it is loaded. */
let LoadedConnection: typeof Connection | undefined;

/** What connections of this protocol are made of is loaded. */
export const canConnect = (protocol: Protocol): boolean => LoadedConnection !== undefined && hasWires(protocol);

/** Loads it, which no program pays for that asks no server. Before, no server may be asked. */
export async function loadConnections(protocol: Protocol): Promise<void> {
  const [loaded] = await Promise.all([import("../connection/connection.ts"), loadWires(protocol)]);
  LoadedConnection = loaded.Connection;
}

/** What a server tells its client. */
export interface ServerListener {
  connected(server: Server, ms: number): void;
  died(server: Server, cause: MemcachedError, retryMs: number): void;
  /** A dead one, once more. */
  triedInVain(server: Server): void;
  revived(server: Server): void;
  /** It was to keep no idle connection, and has none now. */
  rested(server: Server): void;
}

/** So many failures in a row, and a server is dead. */
const MOST_FAILURES = 2;
/** A connection that was silent for so long, with nothing in flight, is idle. */
const IDLE_MS = 100;
/** A try later than this was held up by a frozen process: who asks then, waits for it. */
const OVERDUE_MS = 50;

/** A server that is dead. */
interface Down {
  /** The last failure. */
  cause: MemcachedError;
  /** When its pause began, and how long that is. */
  pausedAt: Moment;
  retryMs: number;
  timer: unknown;
  /** The try that is going on. */
  trial: Connection | undefined;
  /** An operation began it, so operations wait for it. */
  awaited: boolean;
}

/** A server with its connections. */
export class Server implements ConnectionListener {
  readonly name: string;
  readonly #settings: ConnectionSettings;
  readonly #listener: ServerListener;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #slots: (Connection | undefined)[];
  #turn = 0;
  #failures = 0;
  /** Since the last answer to a real request: a probe that is answered shows nothing of what a server is for. */
  #tries = 0;
  #down: Down | undefined;
  #keepsIdle = true;
  /** Looks for idle connections; only while there are connections that are not to be kept. */
  #idleTimer: unknown;
  #closed = false;
  #resolveClosed: (() => void) | undefined;

  /** `connections`: how many it may have. None is opened yet. */
  constructor(settings: ConnectionSettings, connections: number, random: Random, listener: ServerListener) {
    this.name = settings.server;
    this.#settings = settings;
    this.#listener = listener;
    this.#clock = settings.clock;
    this.#random = random;
    this.#slots = new Array(connections).fill(undefined);
  }

  get dead(): boolean {
    return this.#down !== undefined;
  }

  /** The load of the connection whose turn it is. A dead server refuses at once, so it has none. */
  get load(): number {
    return this.#down === undefined ? this.#slots[this.#turn]?.load ?? 0 : this.#down.trial?.load ?? 0;
  }

  /** The load of the fullest of its connections. */
  get fullest(): number {
    if (this.#down !== undefined || this.#slots.length === 1) return this.load;
    let most = 0;
    for (const one of this.#slots) if (one !== undefined && one.load > most) most = one.load;
    return most;
  }

  /** For how long the youngest of its connections could send. */
  get sendableMs(): number {
    let ms = this.#down?.trial?.sendableMs ?? Infinity;
    for (const one of this.#slots) if (one !== undefined) ms = Math.min(ms, one.sendableMs);
    return ms;
  }

  /** Sends an operation on the connection whose turn it is. */
  ask(operation: Operation): void {
    if (this.#closed) return operation.fail(closed(operation, this.name));
    if (this.#down !== undefined) return this.#askDead(operation, this.#down);
    const slot = this.#turn;
    this.#turn = slot + 1 === this.#slots.length ? 0 : slot + 1;
    (this.#slots[slot] ??= this.#connect()).send(operation);
  }

  /** Sends a fenced operation on the connection that gave its cas, or not at all. */
  askOn(origin: object, operation: Operation): void {
    if (this.#closed) return operation.fail(closed(operation, this.name));
    const connection = this.#slots.find((one) => one === origin);
    if (connection === undefined || !connection.alive) return answerConnectionLost(operation);
    operation.bound = true;
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
    if (this.#down !== undefined) {
      this.#clock.clearTimeout(this.#down.timer);
      this.#down.trial?.drain();
    }
    for (const connection of [...this.#slots]) connection?.drain();
    return new Promise((resolve) => {
      this.#resolveClosed = resolve;
      this.#closedYet();
    });
  }

  // ── connections tell ──

  ready(connection: Connection, ms: number): void {
    const revived = this.#down !== undefined && this.#down.trial === connection;
    if (revived) {
      this.#down = undefined;
      this.#failures = 0;
      this.#tries++;
      this.#slots[0] = connection;
    }
    this.#listener.connected(this, ms);
    if (revived) this.#listener.revived(this);
  }

  answered(): void {
    this.#failures = this.#tries = 0;
  }

  ended(connection: Connection, end: End): void {
    const { cause, how, movable } = end;
    const slot = this.#slots.indexOf(connection);
    if (slot !== -1) this.#slots[slot] = undefined;
    const tried = this.#down?.trial === connection ? this.#down : undefined;
    if (how === "reopen" && tried !== undefined) {
      tried.trial = this.#connect();
      for (const operation of movable) tried.trial.send(operation);
      if (this.#closed) tried.trial.drain();
      return;
    }
    if (tried !== undefined) this.#tryAgain(tried, cause);
    else if (this.#down === undefined) {
      this.#failures += this.#failuresOf(end);
      if (this.#failures >= MOST_FAILURES) this.#die(cause);
      else if (how === "silent") this.#replaceSilent(slot, end);
    }
    if (movable.length > 0) this.#move(movable, slot, cause);
    this.#closedYet();
  }

  /** How often the server itself has failed, as the end of one of its connections tells. */
  #failuresOf({ cause, wasReady, owed, how, quietSince }: End): number {
    switch (how) {
      case "broken":
        if (cause instanceof AuthError) return MOST_FAILURES;
        return !wasReady || owed ? 1 : 0;
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
   * A new connection, not only once somebody asks: they shall find it ready, or its server dead. What has forgotten one
   * has forgotten the others that were at rest, and none of their calls is to wait for that.
   */
  #replaceSilent(slot: number, { cause, quietSince }: End): void {
    if (!this.#answersElsewhere(quietSince)) { for (const one of [...this.#slots]) if (one?.rests) one.destroy(cause); }
    if (slot !== -1 && !this.#closed) this.#slots[slot] = this.#connect();
  }

  /** Another of its connections has been heard since. */
  #answersElsewhere(since: number): boolean {
    return this.#slots.some((one) => one !== undefined && one.heardAt > since);
  }

  #connect(): Connection {
    this.#watchIdle();
    return new LoadedConnection!(this.#settings, this);
  }

  #watchIdle(): void {
    this.#clock.clearTimeout(this.#idleTimer);
    if (this.#keepsIdle || this.#closed) return;
    this.#idleTimer = this.#clock.setTimeout(() => this.#rest(), IDLE_MS);
    this.#clock.unref?.(this.#idleTimer);
  }

  /** Closes its connections if nobody uses them. Nobody tries a dead server then, before somebody asks it. */
  #rest(): void {
    const silentSince = responsiveTime(this.#clock) - IDLE_MS;
    const isUsed = this.#slots.some((one) => one !== undefined && !(one.rests && one.heardAt <= silentSince));
    if (isUsed || this.#down?.trial !== undefined) return this.#watchIdle();
    for (const connection of [...this.#slots]) connection?.drain();
    this.#clock.clearTimeout(this.#down?.timer);
    this.#listener.rested(this);
  }

  /** What was not sent, and reads, once: on a new connection in the same place. Also while closing: they were asked before. */
  #move(operations: readonly Operation[], slot: number, cause: MemcachedError): void {
    if (this.#down !== undefined || slot === -1) {
      for (const operation of operations) operation.fail(lost(operation, this.name, cause, operation.repeated));
      return;
    }
    const connection = this.#slots[slot] ??= this.#connect();
    for (const operation of operations) connection.send(operation);
    if (this.#closed) connection.drain();
  }

  // ── dead or alive ──

  #die(cause: MemcachedError): void {
    const retryMs = pauseMs(this.#tries, this.#random.fraction());
    const pausedAt = momentOf(this.#clock);
    const down: Down = { cause, pausedAt, retryMs, timer: undefined, trial: undefined, awaited: false };
    this.#down = down;
    this.#failures = 0;
    if (!this.#closed) this.#pause(down, retryMs);
    // Its other connections are of no use either. Their ends find it dead already, and its next try due.
    for (const connection of [...this.#slots]) connection?.destroy(cause);
    if (this.#closed) return;
    this.#listener.died(this, cause, retryMs);
  }

  #askDead(operation: Operation, down: Down): void {
    if (down.trial === undefined && elapsedMs(this.#clock, down.pausedAt) > down.retryMs + OVERDUE_MS) {
      this.#try(down);
      down.awaited = true;
    }
    if (down.awaited && down.trial !== undefined) down.trial.send(operation);
    else operation.fail(dead(operation, this.name, down.cause));
  }

  #pause(down: Down, ms: number): void {
    this.#clock.clearTimeout(down.timer);
    down.pausedAt = momentOf(this.#clock);
    down.retryMs = ms;
    down.timer = this.#clock.setTimeout(() => this.#try(down), ms);
    this.#clock.unref?.(down.timer);
  }

  #try(down: Down): void {
    if (down.trial !== undefined || this.#closed) return;
    this.#clock.clearTimeout(down.timer);
    down.trial = this.#connect();
  }

  #tryAgain(down: Down, cause: MemcachedError): void {
    down.cause = cause;
    down.trial = undefined;
    down.awaited = false;
    this.#tries++;
    if (this.#closed) return;
    this.#pause(down, pauseMs(this.#tries, this.#random.fraction()));
    this.#listener.triedInVain(this);
  }

  #closedYet(): void {
    if (this.#resolveClosed === undefined) return;
    if (this.#down?.trial !== undefined || this.#slots.some((connection) => connection !== undefined)) return;
    this.#resolveClosed();
  }
}
