/**
 * One socket to a server, from the moment it begins to connect. Requests leave in the order in which they are made, and
 * replies come in that order: each belongs to the oldest request that has none. Everything that was gathered for a socket
 * (buffers, queue, tokens) dies with it, so that no reply of one connection is ever taken for a reply of the next.
 */

import { deadline, responsiveTime } from "../../util/deadline.ts";
import { type Clock, monotonicMs } from "../../util/clock.ts";
import { AuthError, ConnectionError, type MemcachedError } from "../../errors.ts";
import { printable } from "../../util/checks.ts";
import type { Address, Connect, Socket, SocketListener, TlsOptions } from "../../socket/socket.ts";
import { answerConnectionLost, applyReply } from "./reply.ts";
import { exposed, lost, queueFull, timedOut, unreadable } from "./failure.ts";
import { exposes, Handshake, type Login, withoutLogin } from "./handshake.ts";
import { InFlight } from "./in_flight.ts";
import type { Negotiation } from "./negotiation.ts";
import type { Operation } from "./operation.ts";
import { tooManyConnections } from "../protocol/text.ts";
import { Unreadable, type Wire } from "../protocol/wire.ts";
import { WriteBuffer } from "./write_buffer.ts";

/** What all connections of a client have in common. */
export interface ConnectionOptions {
  readonly tls: TlsOptions | undefined;
  readonly login: Login | undefined;
  /** The login may leave this machine unencrypted. */
  readonly allowInsecureAuth: boolean;
  readonly longestValueBytes: number;
  /** `undefined`: TCP never asks whether the server is still there. */
  readonly keepAliveMs: number | undefined;
  readonly timeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly maxInFlight: number;
  readonly maxBytesInFlight: number;
  readonly clock: Clock;
  readonly connect: Connect;
}

/** How a connection ended. */
export interface End {
  readonly cause: MemcachedError;
  /** Its handshake had been completed. */
  readonly wasReady: boolean;
  /** Something that was sent had not been answered. */
  readonly unanswered: boolean;
  /**
   * "broken": the server ended it, or sent what cannot be read. "hung": a whole timeout passed without a byte while
   * something was in flight. "silent": the same, and the connection had been idle before: something between us and the
   * server may have forgotten it. "stuck": bytes came, and the answer that is due was not whole after twice the timeout, so
   * that nothing behind it was answered: the connection is of no use, but its server works. "drained": it was to end once
   * nobody waited any more. "reopen": it found out what the server speaks, and that this takes a new connection.
   */
  readonly how: "broken" | "hung" | "silent" | "stuck" | "drained" | "reopen";
  /** Since when the server has had something to answer, and has sent nothing, as `responsiveTime` reads time. */
  readonly quietSince: number;
  /** What may go out on another connection: never sent, or a read that was sent once. */
  readonly retryable: readonly Operation[];
}

/** What a connection reports to its server. */
export interface ConnectionListener {
  /** The handshake is completed, so long after the connection was begun. */
  ready(connection: Connection, ms: number): void;
  /** Requests were answered. */
  answered(): void;
  /** Once, and last. */
  ended(connection: Connection, end: End): void;
}

type State = "connecting" | "handshake" | "ready" | "ended";

/** How many answers one read may bring: they hold up the event loop for some milliseconds. */
const ANSWERS_A_STEP = 250;

/** A socket, the requests on it, and their deadlines. */
export class Connection implements SocketListener {
  /** The server's name. */
  readonly server: string;
  /** How many bytes one read may bring: about ANSWERS_A_STEP answers, if they are as long as the last ones. */
  mostBytes = 0;
  readonly #options: ConnectionOptions;
  readonly #listener: ConnectionListener;
  readonly #wire: Wire;
  readonly #handshake: Handshake;
  readonly #inFlight: InFlight;
  readonly #outgoing: WriteBuffer;
  readonly #beganAt: number;
  #state: State = "connecting";
  /** As `responsiveTime` reads time. */
  #readyAt: number | undefined = undefined;
  #socket: Socket | undefined;
  readonly #cancelConnectTimer: () => void;
  /** The socket is writing a buffer of ours: it has not called `sent` yet. */
  #writing = false;
  /** The socket keeps the process alive. */
  #referenced = false;
  /** The number of the next write: an operation with this `batch` was not sent yet. */
  #batch = 1;
  /** A write is due at the end of this tick. */
  #ticking = false;
  /** The tick's time, as `responsiveTime` reads it, read once. */
  #now = 0;
  /** Ends as soon as nobody waits for an answer. */
  #draining = false;

  /** Begins to connect to the server of this name. */
  constructor(
    server: string,
    address: Address,
    negotiation: Negotiation,
    options: ConnectionOptions,
    listener: ConnectionListener,
  ) {
    const { clock, timeoutMs, connectTimeoutMs, login, tls } = options;
    this.server = server;
    this.#options = options;
    this.#listener = listener;
    this.#wire = negotiation.newWire(options.longestValueBytes);
    this.#outgoing = new WriteBuffer(this.#wire);
    this.#handshake = new Handshake(server, login, this.#wire, negotiation);
    this.#inFlight = new InFlight(clock, timeoutMs, (now) => this.#timerFired(now));
    this.#beganAt = monotonicMs(clock);
    this.#cancelConnectTimer = deadline(clock, connectTimeoutMs, () => this.#connectTimedOut(), "unreferenced");
    if (login !== undefined && tls === undefined && !options.allowInsecureAuth && exposes(address)) {
      queueMicrotask(() => this.#end(exposed(server), "broken")); // not yet: the Server has still to store this object
    } else this.#connect(address);
  }

  /** It takes operations: it is connecting or connected. */
  get alive(): boolean {
    return this.#state !== "ended";
  }

  /** When the last byte came from the server, as `responsiveTime` reads time. */
  get lastByteAt(): number {
    return this.#inFlight.lastByteAt;
  }

  /** How much of its bounds is in flight, from 0 to 1; of bytes perhaps more, since one request alone always passes. */
  get load(): number {
    const { maxInFlight, maxBytesInFlight } = this.#options;
    return Math.max(this.#inFlight.count / maxInFlight, this.#inFlight.bytes / maxBytesInFlight);
  }

  /** For how many ms it has been ready to send, without those of a blocked event loop; 0 while it connects. */
  get sendableMs(): number {
    return this.#readyAt === undefined ? 0 : responsiveTime(this.#options.clock) - this.#readyAt;
  }

  /** It is connected, and nothing is in flight. */
  get idle(): boolean {
    return this.#state === "ready" && this.#inFlight.count === 0;
  }

  /** Sends an operation with all others of this tick, or once the connection is ready. */
  send(operation: Operation): void {
    const inFlight = this.#inFlight;
    const { maxInFlight, maxBytesInFlight, timeoutMs, clock } = this.#options;
    if (inFlight.count >= maxInFlight) {
      return operation.fail(queueFull(operation, this.server, `${inFlight.count} requests are in flight`));
    }
    if (!this.#ticking) {
      this.#ticking = true;
      this.#now = responsiveTime(clock);
      queueMicrotask(this.#endOfTick);
    }
    this.#outgoing.append(operation);
    if (inFlight.count > 0 && inFlight.bytes + operation.bytes > maxBytesInFlight) {
      this.#outgoing.undo(operation);
      return operation.fail(queueFull(operation, this.server, `${inFlight.bytes} bytes are in flight`));
    }
    if (operation.deadline === 0) operation.deadline = this.#now + timeoutMs;
    operation.batch = this.#batch;
    operation.connection = this;
    inFlight.push(operation);
    if (!this.#referenced) this.#reference();
  }

  /** The operation's caller has left. If it was sent, its answer is dropped when it comes; else it is not sent. */
  abandon(operation: Operation): void {
    if (this.#state === "ended") return;
    if (operation.batch === this.#batch) this.#inFlight.cancel(operation);
    this.#becomeIdle();
  }

  /** Ends it once every operation has been answered, given up or has timed out. */
  drain(): void {
    this.#draining = true;
    this.#becomeIdle();
  }

  /** Ends it now. What is in flight is rejected with this cause. */
  destroy(cause: MemcachedError): void {
    this.#end(cause, "broken");
  }

  /** What the server said, as errors may quote it: without the login, which it may repeat. */
  redacted(text: string): string {
    return withoutLogin(text, this.#options.login);
  }

  // ── connecting ──

  #connect(address: Address): void {
    const { connect, tls, keepAliveMs } = this.#options;
    try {
      this.#socket = connect(address, this, tls, keepAliveMs);
      this.#socket.unref();
    } catch (error) {
      // Bun and Node throw at once for a key or a certificate that they cannot read. It ends in a microtask, since the
      // Server has still to store this object.
      queueMicrotask(() => this.closed(error as Error));
    }
  }

  opened(): void {
    if (this.#state !== "connecting") return;
    this.#state = "handshake";
    this.#writing = true;
    this.#socket!.write(this.#handshake.write());
  }

  #continueHandshake(): void {
    const progress = this.#handshake.read();
    if (progress === "wait") return;
    if (progress === "write") {
      this.#writing = true;
      this.#socket!.write(this.#handshake.write());
    } else if (progress === "ready") this.#becomeReady();
    else if (progress === "reopen") this.#reopen();
    else this.#end(progress, "broken");
  }

  #becomeReady(): void {
    // Throws if bytes follow the handshake: nothing was asked, so they would be taken for the first request's answer.
    this.#wire.next(undefined);
    this.#state = "ready";
    this.#cancelConnectTimer();
    const { clock } = this.#options;
    this.#readyAt = responsiveTime(clock);
    this.#listener.ready(this, monotonicMs(clock) - this.#beganAt);
    this.#flush(this.#readyAt);
  }

  #reopen(): void {
    this.#end(new ConnectionError(`${this.server} needs a new connection`, this.server), "reopen");
  }

  #connectTimedOut(): void {
    const { connectTimeoutMs } = this.#options;
    const what = this.#state === "connecting" ? "did not accept a connection" : "did not answer on a new connection";
    this.#end(new ConnectionError(`${this.server} ${what} within ${connectTimeoutMs} ms`, this.server), "broken");
  }

  // ── sending: one write for everything that was asked since the last one ──

  readonly #endOfTick = (): void => {
    this.#ticking = false;
    this.#flush(this.#now);
  };

  sent(): void {
    if (this.#state === "ended") return;
    this.#writing = false;
    this.#outgoing.written();
    if (!this.#ticking && this.#outgoing.end > 0) this.#flush(responsiveTime(this.#options.clock));
  }

  #flush(now: number): void {
    const outgoing = this.#outgoing;
    if (this.#state !== "ready" || this.#writing || outgoing.end === 0) return;
    const cancelled = this.#inFlight.takeCancelled();
    if (cancelled.length > 0) outgoing.drop(cancelled);
    this.#inFlight.sent(now);
    this.#batch++;
    if (outgoing.end === 0) return;
    this.#writing = true;
    this.#socket!.write(outgoing.take());
  }

  // ── receiving ──

  received(bytes: Uint8Array): void {
    const wire = this.#wire;
    const inFlight = this.#inFlight;
    inFlight.received(responsiveTime(this.#options.clock));
    wire.push(bytes);
    let answers = 0;
    try {
      if (this.#state !== "ready") this.#continueHandshake();
      while (this.#state === "ready") {
        const operation = inFlight.head;
        const reply = wire.next(operation);
        if (reply === undefined) break;
        answers++;
        if (reply.last) inFlight.shift();
        // Its caller may have left: then the answer is dropped.
        if (!operation!.settled) applyReply(operation!, reply, this);
      }
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
      return this.#endUnreadable(error);
    }
    if (answers > 0) {
      this.mostBytes = ANSWERS_A_STEP * bytes.length / answers;
      this.#listener.answered();
    }
    this.#becomeIdle();
  }

  /** Bytes have come that are no reply. */
  #endUnreadable(found: Unreadable): void {
    if (this.#state === "handshake" && this.#handshake.isRefusalOfBinary(found)) return this.#reopen();
    const mayRepeatLogin = this.#options.login !== undefined && !tooManyConnections(found.text ?? "");
    this.#end(unreadable(mayRepeatLogin ? found.unquoted() : found, this.server), "broken");
  }

  /** The server has ended the connection, or it broke, or could not be made. */
  closed(error: Error | undefined): void {
    if (this.#state === "ended") return;
    const left = this.#wire.end();
    if (left?.text !== undefined) return this.#endUnreadable(left);
    const saidNothing = this.#state === "handshake" && left === undefined;
    if (saidNothing && this.#handshake.isRefusalOfBinary()) return this.#reopen();
    const what = this.#state === "connecting"
      ? "cannot be reached"
      : saidNothing
      ? this.#handshake.closedSilently
      : "closed the connection";
    const why = error !== undefined ? `: ${printable(error.message)}` : left !== undefined ? " within a reply" : "";
    this.#end(new ConnectionError(`${this.server} ${what}${why}`, this.server, { cause: error }), "broken");
  }

  // ── idle, late, ended ──

  /** If nothing is in flight the process may end, and so may a connection that drains. */
  #becomeIdle(): void {
    if (this.#state === "ended") return;
    if (this.#draining && !this.#inFlight.isAwaited) {
      return this.#end(new ConnectionError("the client is closed", this.server), "drained");
    }
    // In a microtask, after the callers that were just answered: they often send the next request.
    if (this.#inFlight.count === 0 && this.#referenced) queueMicrotask(this.#unreference);
  }

  #reference(): void {
    this.#referenced = true;
    this.#socket?.ref();
  }

  readonly #unreference = (): void => {
    if (this.#inFlight.count > 0 || !this.#referenced) return;
    this.#referenced = false;
    this.#socket?.unref();
  };

  /** The queue's timer has fired: something may be late. */
  #timerFired(now: number): void {
    const { timeoutMs } = this.#options;
    const inFlight = this.#inFlight;
    for (const operation of inFlight.overdue(now)) {
      const fate = operation.batch === this.#batch ? "unsent" : "sent";
      operation.fail(timedOut(operation, this.server, timeoutMs, fate));
      if (fate === "unsent") inFlight.cancel(operation);
    }
    if (inFlight.hung(now)) {
      const state = `${this.server} hangs: not a byte came within ${timeoutMs} ms`;
      return this.#end(new ConnectionError(state, this.server), inFlight.silentSinceIdle ? "silent" : "hung");
    }
    if (inFlight.stuck(now)) {
      const state = `${this.server} left a request unanswered for ${2 * timeoutMs} ms`;
      return this.#end(new ConnectionError(state, this.server), "stuck");
    }
    inFlight.watchOn();
    this.#becomeIdle();
  }

  /** Ends, once. Each operation in flight is rejected, retried, or answered "connection-lost": each exactly once. */
  #end(cause: MemcachedError, how: End["how"]): void {
    const state = this.#state;
    if (state === "ended") return;
    const wasReady = state === "ready";
    if (!wasReady && how === "broken" && !(cause instanceof AuthError)) this.#handshake.failed(state);
    this.#state = "ended";
    this.#cancelConnectTimer();
    this.#socket?.close();
    const { sent, unsent } = this.#inFlight.takeAll();
    const mayRepeat = wasReady && cause instanceof ConnectionError;
    // duty d: of what was sent only reads are sent again
    const repeated = sent.filter((one) => mayRepeat && !one.settled && one.reads && !one.repeated);
    for (const operation of repeated) operation.repeat();
    // duty a: what is bound to a cas of this connection moves to no other
    const moved = unsent.filter((one) => (wasReady || how === "reopen") && !one.settled && !one.fenced);
    for (const operation of moved) this.#outgoing.restore(operation);
    const retryable = [...repeated, ...moved];
    // Report to the Server before any operation settles: its caller may call again at once, and must not be sent here.
    const { quietSince } = this.#inFlight;
    this.#listener.ended(this, { cause, wasReady, unanswered: sent.length > 0, how, quietSince, retryable });
    const retried = new Set(retryable);
    for (const operation of sent) {
      if (!retried.has(operation)) operation.fail(lost(operation, this.server, cause, "sent"));
    }
    for (const operation of unsent) {
      if (retried.has(operation)) continue;
      if (operation.fenced) answerConnectionLost(operation);
      else operation.fail(lost(operation, this.server, cause, "unsent"));
    }
    // Items remember their connection, which need not keep its buffers for them.
    this.#outgoing.release();
    this.#wire.release();
  }
}
