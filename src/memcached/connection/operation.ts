/** A request and the promise of its answer. */

import { type Details, Request, VERB, type Verb } from "../protocol/request.ts";
import { type AbortListener, offAbort, onAbort } from "../../util/abort.ts";
import type { Connection } from "./connection.ts";
import type { Item } from "./item.ts";

/** How an operation ended, for those who listen. */
export type OperationOutcome = "ok" | "miss" | "refused" | "error";

/**
 * Takes an operation's answer in place of a promise, within the step that reads it: a backend's read asks for so many keys
 * that a promise for each would cost a hit a third more. One of the two is called, once; neither may throw.
 */
export interface ReplyCallback<T> {
  resolve(answer: T): void;
  reject(error: unknown): void;
}

/** Called when an operation has settled; only set while somebody listens to that event. */
export type Observer = (outcome: OperationOutcome, error: unknown) => void;

type Resolve = (value: unknown) => void;
type Reject = (reason: unknown) => void;

// One executor function for all promises, instead of a closure for each.
let resolveLast: Resolve;
let rejectLast: Reject;
const capture = (resolve: Resolve, reject: Reject): void => {
  resolveLast = resolve;
  rejectLast = reject;
};

/** Of operations with a reply callback. */
const NO_PROMISE: Promise<never> = new Promise(() => {});

/** Verbs that change nothing on the server: they may be sent twice. getAndTouch is none of them, nor is stats: "reset" is a topic. */
const READS: ReadonlySet<Verb> = new Set([VERB.get, VERB.getMulti, VERB.version]);

/** One call. It settles once. */
export class Operation extends Request implements AbortListener {
  readonly promise: Promise<unknown>;
  readonly #resolve: Resolve | undefined = undefined;
  readonly #reject: Reject | undefined = undefined;
  readonly #callback: ReplyCallback<unknown> | undefined;
  /** Its caller has an answer, or has left. In a queue it is a tombstone from then on: the next answer is dropped. */
  settled = false;
  /** As `responsiveTime` reads time; 0: none yet. It stays the same when the operation moves to another connection. */
  deadline = 0;
  /** Where its frame begins in the write buffer, how long it is, and how long a value of bytes is in it. */
  start = 0;
  bytes = 0;
  valueBytes = 0;
  /** Which write it leaves with, counted by its connection. */
  batch = 0;
  /** It was sent on a connection that has broken. */
  repeated = false;
  /** Fenced: it goes out on the connection that gave its cas, or not at all. */
  fenced = false;
  /** The items of a multi-get, or the statistics, that have come so far. */
  gathered: Map<string, Item | undefined> | Map<string, string> | undefined = undefined;
  connection: Connection | undefined = undefined;
  observer: Observer | undefined = undefined;
  #signal: AbortSignal | undefined = undefined;

  /** With a callback the promise never settles. */
  constructor(verb: Verb, key: string, keyBytes: number, details?: Details, callback?: ReplyCallback<unknown>) {
    super(verb, key, keyBytes, details);
    this.#callback = callback;
    if (callback !== undefined) this.promise = NO_PROMISE;
    else {
      this.promise = new Promise(capture);
      this.#resolve = resolveLast;
      this.#reject = rejectLast;
    }
  }

  /** It changes nothing on the server. */
  get reads(): boolean {
    return READS.has(this.verb);
  }

  /** Rejects when the signal fires, or has. Nothing of it stays on the signal when the operation settles. */
  abortWith(signal: AbortSignal): void {
    if (signal.aborted) return this.fail(signal.reason);
    this.#signal = signal;
    onAbort(signal, this);
  }

  /** A read whose connection broke goes out once more, from the beginning. */
  repeat(): void {
    this.repeated = true;
    if (this.details !== undefined) this.details.failure = undefined;
  }

  /** Its signal has fired. */
  aborted(reason: unknown): void {
    this.fail(reason);
    this.connection?.abandon(this);
  }

  /** Answers the caller. */
  succeed(value: unknown, outcome: OperationOutcome): void {
    if (this.settled) return;
    this.#settle();
    if (this.#callback !== undefined) this.#callback.resolve(value);
    else this.#resolve!(value);
    this.observer?.(outcome, outcome === "error" ? value : undefined);
  }

  /** Rejects. */
  fail(error: unknown): void {
    if (this.settled) return;
    this.#settle();
    if (this.#callback !== undefined) this.#callback.reject(error);
    else this.#reject!(error);
    this.observer?.("error", error);
  }

  #settle(): void {
    this.settled = true;
    if (this.#signal === undefined) return;
    offAbort(this.#signal, this);
    this.#signal = undefined;
  }
}
