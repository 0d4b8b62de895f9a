/** A request and the promise of its answer. */

import type { Told } from "../../util/told.ts";
import { type Details, Request, VERB, type Verb } from "../protocol/request.ts";
import { type AbortListener, offAbort, onAbort } from "../../util/abort.ts";
import type { Item } from "./item.ts";

/** How an operation ended, for those who listen. */
export type OperationOutcome = "ok" | "miss" | "refused" | "error";

/** Whoever has the operation on its way; told that its caller has left. */
export interface Carrier {
  abandon(operation: Operation): void;
}

/** Told how an operation ended; only there while somebody listens. */
export type Observer = (outcome: OperationOutcome, error: unknown) => void;

type Resolve = (value: unknown) => void;
type Reject = (reason: unknown) => void;

// One function for every promise: no closure for each.
let resolveLast: Resolve;
let rejectLast: Reject;
const capture = (resolve: Resolve, reject: Reject): void => {
  resolveLast = resolve;
  rejectLast = reject;
};

/** Of those that are told instead. */
const NO_PROMISE: Promise<never> = new Promise(() => {});

/** Verbs that change nothing on the server: they may be sent twice. getAndTouch is none of them, nor is stats: "reset" is a topic. */
const READS: ReadonlySet<Verb> = new Set([VERB.get, VERB.getMulti, VERB.version]);

/** One call. It settles once; a later answer finds a tombstone. */
export class Operation extends Request implements AbortListener {
  readonly promise: Promise<unknown>;
  readonly #resolve: Resolve | undefined = undefined;
  readonly #reject: Reject | undefined = undefined;
  readonly #to: Told<unknown> | undefined;
  /** Its caller has been answered. In the queue it is a tombstone from then on. */
  settled = false;
  /** As `responsiveTime` reads time; 0: none yet. It stays the same when the operation moves to another connection. */
  deadline = 0;
  /** Where its frame stands in the outgoing buffer, and how long it is. */
  start = 0;
  bytes = 0;
  /** Which write it leaves with, counted by its connection. */
  batch = 0;
  /** It was on a connection before. */
  repeated = false;
  /** Fenced: it goes out on the connection that gave its cas, or not at all. */
  bound = false;
  /** What was written for a connection that never sent it. */
  frame: Uint8Array | undefined = undefined;
  /** Which wire it was written for. */
  frameFor: object | undefined = undefined;
  /** Where items go; or statistics that have come so far. */
  gathered: Map<string, Item | undefined> | Map<string, string> | undefined = undefined;
  carrier: Carrier | undefined = undefined;
  observer: Observer | undefined = undefined;
  #signal: AbortSignal | undefined = undefined;

  /** `to`: told the answer, within the step that reads it; the promise never settles then. */
  constructor(verb: Verb, key: string, keyBytes: number, details?: Details, to?: Told<unknown>) {
    super(verb, key, keyBytes, details);
    this.#to = to;
    if (to !== undefined) this.promise = NO_PROMISE;
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
  heed(signal: AbortSignal): void {
    if (signal.aborted) return this.fail(signal.reason);
    this.#signal = signal;
    onAbort(signal, this);
  }

  /** Its signal has fired. */
  aborted(reason: unknown): void {
    this.fail(reason);
    this.carrier?.abandon(this);
  }

  /** Answers the caller. */
  succeed(value: unknown, outcome: OperationOutcome): void {
    if (this.settled) return;
    this.#settle();
    if (this.#to !== undefined) this.#to.answered(value);
    else this.#resolve!(value);
    this.observer?.(outcome, outcome === "error" ? value : undefined);
  }

  /** Rejects. */
  fail(error: unknown): void {
    if (this.settled) return;
    this.#settle();
    if (this.#to !== undefined) this.#to.failed(error);
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
