/**
 * One socket: sends, matches, dies once. All state (buffers, queue, tokens) dies with its socket, so that no reply of one
 * connection is ever taken for a reply of the next.
 */

import { deadline, responsiveTime } from "../../util/deadline.ts";
import { monotonicMs } from "../../util/clock.ts";
import { AuthError, ConnectionError, type MemcachedError, ProtocolError } from "../../errors.ts";
import { printable } from "../../util/checks.ts";
import { loadConnect } from "../../socket/open.ts";
import type { Connect, Socket, SocketListener } from "../../socket/socket.ts";
import { answer, answerConnectionLost, type Answerer, textOf } from "./reply.ts";
import type { ConnectionListener, ConnectionSettings, End } from "./contract.ts";
import { closedSilently, exposed, lost, queueFull, timedOut, tooManyConnections, unreadable } from "./failure.ts";
import { Frames } from "./frames.ts";
import { exposes, Handshake, withoutLogin } from "./handshake.ts";
import { InFlight, type Watch } from "./in_flight.ts";
import type { Carrier, Operation } from "./operation.ts";
import { ERROR_LINE } from "../protocol/text.ts";
import { Unreadable, type Wire } from "../protocol/wire.ts";

type State = "connecting" | "probing" | "ready" | "ended";

/** So many in one step hold up the event loop for some milliseconds. */
const ANSWERS_A_STEP = 250;

/** A socket with its queue. */
export class Connection implements Answerer, Carrier, SocketListener, Watch {
  readonly server: string;
  /** By the length of the answers that came last. */
  mostBytes = 0;
  readonly #settings: ConnectionSettings;
  readonly #listener: ConnectionListener;
  readonly #wire: Wire;
  readonly #handshake: Handshake;
  readonly #inFlight: InFlight;
  readonly #frames: Frames;
  readonly #cancelled = new Set<Operation>();
  readonly #began: number;
  #state: State = "connecting";
  /** As `responsiveTime` reads time. */
  #readyAt: number | undefined = undefined;
  #socket: Socket | undefined;
  readonly #cancelConnectTimer: () => void;
  /** The socket has a buffer of ours and has not said `sent`. */
  #writing = false;
  #referenced = false;
  /** Counts the writes; an operation of this batch has not left yet. */
  #batch = 1;
  /** A write is due at the end of this tick. */
  #ticking = false;
  /** The tick's time, as `responsiveTime` reads it, read once. */
  #now = 0;
  /** Operations whose callers still wait. */
  #awaited = 0;
  /** Ends as soon as nobody waits. */
  #draining = false;

  /** Begins to connect. */
  constructor(settings: ConnectionSettings, listener: ConnectionListener) {
    const { server, clock, timeoutMs } = settings;
    this.server = server;
    this.#settings = settings;
    this.#listener = listener;
    const { address, tls, login } = settings;
    const finds = !settings.wires.known;
    this.#wire = settings.wires.open(settings.longestValueBytes);
    this.#frames = new Frames(server, this.#wire, settings.maxBytesInFlight, finds);
    this.#handshake = new Handshake(server, login, this.#wire.speaks, finds);
    this.#inFlight = new InFlight(clock, timeoutMs, this);
    this.#began = monotonicMs(clock);
    this.#cancelConnectTimer = deadline(
      clock,
      settings.connectTimeoutMs,
      () => this.#connectTimedOut(),
      "unreferenced",
    );
    if (login !== undefined && tls === undefined && !settings.allowInsecureAuth && exposes(address)) {
      queueMicrotask(() => this.#end(exposed(server), "broken")); // its server does not know it yet
    } else if (settings.connect !== undefined) this.#open(settings.connect);
    else {loadConnect(address, tls, settings.keepAliveMs).then((connect) =>
        this.#open(connect), (error) =>
        this.closed(error));}
  }

  /** It takes operations: it is connecting or connected. */
  get alive(): boolean {
    return this.#state !== "ended";
  }

  /** When the last byte came from the server, as `responsiveTime` reads time. */
  get heardAt(): number {
    return this.#inFlight.heardAt;
  }

  /** How much of its bounds is in flight, from 0 to 1; of bytes perhaps more, since one request alone always passes. */
  get load(): number {
    const { maxInFlight, maxBytesInFlight } = this.#settings;
    return Math.max(this.#inFlight.count / maxInFlight, this.#inFlight.bytes / maxBytesInFlight);
  }

  /** For how long it could send, our own busy event loop not counted; 0: it connects. */
  get sendableMs(): number {
    return this.#readyAt === undefined ? 0 : responsiveTime(this.#settings.clock) - this.#readyAt;
  }

  /** Nothing is in flight, and nothing waits. */
  get rests(): boolean {
    return this.#state === "ready" && this.#inFlight.count === 0;
  }

  /** Sends an operation with all others of this tick, or once the connection is ready. */
  send(operation: Operation): void {
    const inFlight = this.#inFlight;
    const { maxInFlight, timeoutMs, clock } = this.#settings;
    if (inFlight.count >= maxInFlight) {
      return operation.fail(queueFull(operation, this.server, `${inFlight.count} requests are in flight`));
    }
    if (!this.#ticking) {
      this.#ticking = true;
      this.#now = responsiveTime(clock);
      queueMicrotask(this.#tick);
    }
    const refused = this.#frames.write(operation, inFlight.count, inFlight.bytes);
    if (refused !== undefined) return operation.fail(refused);
    if (operation.deadline === 0) operation.deadline = this.#now + timeoutMs;
    operation.batch = this.#batch;
    operation.carrier = this;
    this.#awaited++;
    inFlight.push(operation);
    if (!this.#referenced) this.#reference();
  }

  askAgain(operation: Operation): void {
    this.#awaited--; // counted again as it is sent
    this.send(operation);
  }

  /** Its caller has left: a tombstone if it was sent, else it is not sent. */
  abandon(operation: Operation): void {
    if (this.#state === "ended") return;
    this.#forget(operation);
    this.#rest();
  }

  /** Ends once every operation has been answered, given up or has timed out. */
  drain(): void {
    this.#draining = true;
    this.#rest();
  }

  /** Ends it now. What is in flight is rejected with this cause. */
  destroy(cause: MemcachedError): void {
    this.#end(cause, "broken");
  }

  shown(text: string): string {
    return withoutLogin(text, this.#settings.login);
  }

  // ── the socket tells ──

  opened(): void {
    if (this.#state !== "connecting") return;
    this.#state = "probing";
    this.#writing = true;
    this.#socket!.write(this.#handshake.write(this.#wire));
  }

  sent(): void {
    if (this.#state === "ended") return;
    this.#writing = false;
    this.#frames.outgoing.written();
    if (!this.#ticking && this.#frames.outgoing.end > 0) this.#flush(responsiveTime(this.#settings.clock));
  }

  received(bytes: Uint8Array): void {
    const wire = this.#wire;
    const inFlight = this.#inFlight;
    inFlight.heard(responsiveTime(this.#settings.clock));
    wire.push(bytes);
    let answers = 0;
    try {
      while ((this.#state === "connecting" || this.#state === "probing") && this.#probe());
      while (this.#state === "ready") {
        const operation = inFlight.head;
        const reply = wire.next(operation);
        if (reply === undefined) break;
        answers++;
        if (reply.last) inFlight.shift();
        if (operation!.settled) continue;
        answer(operation!, reply, this);
        if (operation!.settled) this.#awaited--;
      }
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
      return this.#misread(error);
    }
    if (answers > 0) {
      this.mostBytes = ANSWERS_A_STEP * bytes.length / answers;
      this.#listener.answered();
    }
    this.#rest();
  }

  closed(error: Error | undefined): void {
    if (this.#state === "ended") return;
    const text = this.#wire.end();
    if (text?.text !== undefined) return this.#misread(text);
    if (text === undefined && this.#asksInBinary) {
      this.#settings.wires.refusedBinary();
      return this.#reopen();
    }
    const how = error !== undefined ? `: ${printable(error.message)}` : text !== undefined ? " within a reply" : "";
    const what = this.#state === "connecting"
      ? "cannot be reached"
      : this.#state === "probing" && text === undefined
      ? closedSilently(this.#wire.speaks, this.#frames.finds)
      : "closed the connection";
    this.#end(new ConnectionError(`${this.server} ${what}${how}`, this.server, { cause: error }), "broken");
  }

  // ── connecting ──

  #open(connect: Connect): void {
    if (this.#state === "ended") return;
    const { address, tls, keepAliveMs } = this.#settings;
    // Told before `connect` returns, `opened` would find no socket: sockets tell later.
    try {
      this.#socket = connect(address, this, tls, keepAliveMs);
    } catch (error) {
      // Bun and Node throw at once for a key or a certificate that they cannot read. Its server may not know it yet.
      return queueMicrotask(() => this.closed(error as Error));
    }
    if (!this.#referenced) this.#socket.unref();
  }

  /** Reads one answer of the handshake. true: there may be more. */
  #probe(): boolean {
    const handshake = this.#handshake;
    const reply = this.#wire.next(handshake.expected);
    if (reply === undefined) return false;
    const progress = handshake.read(reply, this.shown(textOf(reply)));
    // A frame is binary whatever it says; an error line need not be one of a server that knows meta commands.
    const { speaks } = this.#wire;
    if (this.#frames.finds && (speaks === "binary" || !(progress instanceof ProtocolError))) {
      this.#settings.wires.found(speaks);
    }
    if (progress === "wait") {
      if (handshake.expected === undefined) {
        this.#writing = true;
        this.#socket!.write(handshake.write(this.#wire));
      }
    } else if (progress === "ready") this.#ready();
    else if (progress === "reopen") this.#reopen();
    else this.#end(progress, "broken");
    return true;
  }

  #ready(): void {
    this.#frames.finds = false;
    // What stands behind it answers nothing: once something was sent, it could be taken for its answer.
    this.#wire.next(undefined);
    this.#state = "ready";
    const { clock } = this.#settings;
    this.#cancelConnectTimer();
    this.#listener.ready(this, monotonicMs(clock) - this.#began);
    this.#flush(this.#readyAt = responsiveTime(clock));
  }

  /** Nobody knows yet what the server speaks: a line of text, or a close without a word, tells: not binary. */
  get #asksInBinary(): boolean {
    return this.#state === "probing" && this.#frames.finds && this.#wire.speaks === "binary";
  }

  /** Bytes that are no reply. */
  #misread(found: Unreadable): void {
    const { login, wires } = this.#settings;
    const crowded = tooManyConnections(found.text ?? "");
    const refused = found.text !== undefined && ERROR_LINE.test(found.text) && !crowded;
    if (refused && this.#asksInBinary) {
      wires.refusedBinary();
      return this.#reopen();
    }
    this.#end(unreadable(login === undefined || crowded ? found : found.unquoted(), this.server), "broken");
  }

  #reopen(): void {
    this.#end(new ConnectionError(`${this.server} needs a new connection`, this.server), "reopen");
  }

  #connectTimedOut(): void {
    const { connectTimeoutMs } = this.#settings;
    const what = this.#state === "connecting" ? "did not accept a connection" : "did not answer on a new connection";
    this.#end(new ConnectionError(`${this.server} ${what} within ${connectTimeoutMs} ms`, this.server), "broken");
  }

  // ── sending ──

  readonly #tick = (): void => {
    this.#ticking = false;
    this.#flush(this.#now);
  };

  /** One write for everything that was asked since the last one. */
  #flush(now: number): void {
    const outgoing = this.#frames.outgoing;
    if (this.#state !== "ready" || this.#writing || outgoing.end === 0) return;
    if (this.#cancelled.size > 0) outgoing.drop([...this.#cancelled].sort((a, b) => a.start - b.start));
    this.#inFlight.sent(now, this.#cancelled);
    if (this.#cancelled.size > 0) this.#cancelled.clear();
    this.#batch++;
    if (outgoing.end === 0) return;
    this.#writing = true;
    this.#socket!.write(outgoing.take());
  }

  // ── giving up ──

  /** Nobody waits for this operation any more. */
  #forget(operation: Operation): void {
    this.#awaited--;
    if (operation.batch !== this.#batch) return;
    this.#inFlight.cancel(operation);
    this.#cancelled.add(operation);
  }

  due(now: number): void {
    const { timeoutMs } = this.#settings;
    const inFlight = this.#inFlight;
    for (const operation of inFlight.overdue(now)) {
      operation.fail(timedOut(operation, this.server, timeoutMs, operation.batch !== this.#batch));
      this.#forget(operation);
    }
    if (inFlight.hung(now)) {
      const state = `${this.server} hangs: not a byte came within ${timeoutMs} ms`;
      return this.#end(new ConnectionError(state, this.server), inFlight.silentFromRest ? "silent" : "hung");
    }
    if (inFlight.stuck(now)) {
      const state = `${this.server} left a request unanswered for ${2 * timeoutMs} ms`;
      return this.#end(new ConnectionError(state, this.server), "stuck");
    }
    inFlight.watchOn();
    this.#rest();
  }

  /** Nothing is in flight: the process may end. Nobody waits: a connection that drains may. */
  #rest(): void {
    if (this.#state === "ended") return;
    if (this.#draining && this.#awaited === 0) {
      return this.#end(new ConnectionError("the client is closed", this.server), "drained");
    }
    // Once those who were answered have had their turn: they often ask again.
    if (this.#inFlight.count === 0 && this.#referenced) queueMicrotask(this.#unreference);
  }

  readonly #unreference = (): void => {
    if (this.#inFlight.count > 0 || !this.#referenced) return;
    this.#referenced = false;
    this.#socket?.unref();
  };

  #reference(): void {
    this.#referenced = true;
    this.#socket?.ref();
  }

  /** Dies, once. Each operation is rejected, moved, or answered "connection-lost": each exactly once. */
  #end(cause: MemcachedError, how: End["how"]): void {
    if (this.#state === "ended") return;
    const wasReady = this.#state === "ready";
    // Silence, or an error, where a server spoke this wire before: the next connection finds out.
    const doubtful = this.#state !== "ready" && how === "broken" && !(cause instanceof AuthError);
    if (doubtful && (this.#state === "probing" || this.#frames.finds)) this.#settings.wires.doubt();
    this.#state = "ended";
    this.#cancelConnectTimer();
    this.#socket?.close();
    const { sent, unsent } = this.#inFlight.takeAll();
    const mayRepeat = wasReady && cause instanceof ConnectionError;
    const repeats = sent.filter((one) => mayRepeat && !one.settled && one.reads && !one.repeated);
    const moves = unsent.filter((one) => (wasReady || how === "reopen") && !one.settled && !one.bound);
    for (const operation of repeats) {
      operation.repeated = true;
      if (operation.details !== undefined) operation.details.failure = undefined;
    }
    for (const operation of moves) this.#frames.keep(operation);
    const movable = [...repeats, ...moves];
    // The server first: a listener that hears of a rejection may ask again at once, and must not be sent here.
    this.#listener.ended(this, {
      cause,
      wasReady,
      owed: sent.length > 0,
      how,
      quietSince: this.#inFlight.quietSince,
      movable,
    });
    const gone = new Set(movable);
    for (const operation of sent) if (!gone.has(operation)) operation.fail(lost(operation, this.server, cause, true));
    for (const operation of unsent) {
      if (gone.has(operation)) continue;
      if (operation.bound) answerConnectionLost(operation);
      else operation.fail(lost(operation, this.server, cause, false));
    }
    // Items remember their connection, which need not keep its buffers for them.
    this.#frames.outgoing.release();
    this.#wire.release();
  }
}
