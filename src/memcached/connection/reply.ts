/** What a reply means to the caller of each verb. */

import type { Connection } from "./connection.ts";
import { flawed, refused } from "./failure.ts";
import { ConfirmedWrite, type Item, ReceivedItem, type Stored } from "./item.ts";
import { DO_NOT_CREATE } from "../protocol/limits.ts";
import type { Operation } from "./operation.ts";
import { type Details, VERB } from "../protocol/request.ts";
import { type Reply, STATUS, uint64 } from "../protocol/wire.ts";

/**
 * The result of a write, or why nothing was written. "exists": `add` of a key that is there, or a cas that no longer
 * matches. "not-found": `replace`, or a write with a cas, of a missing key. "not-stored": `append` or `prepend` to a
 * missing key. "connection-lost": see `CasOptions`.
 */
export type WriteResult = Stored | {
  readonly stored: false;
  readonly reason: "exists" | "not-found" | "not-stored" | "connection-lost";
};

/** How often an `incr` or `decr` is sent while other clients create and delete its counter at the same moments. */
const MOST_ASKED = 8;

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Settles an operation by its reply; gathers what comes in several. */
export function applyReply(operation: Operation, reply: Reply, connection: Connection): void {
  const { status, flaw } = reply;
  if (flaw !== undefined && operation.verb !== VERB.getMulti) {
    return operation.fail(flawed(operation, connection.server, operation.key, flaw, status));
  }
  switch (operation.verb) {
    case VERB.get:
    case VERB.getAndTouch:
      if (status === STATUS.ok) return operation.succeed(new ReceivedItem(operation.key, reply, connection), "ok");
      if (status === STATUS.notFound) return operation.succeed(undefined, "miss");
      break;
    case VERB.getMulti:
      return gatherItem(operation, reply, connection);
    case VERB.set:
    case VERB.add:
    case VERB.replace:
    case VERB.append:
    case VERB.prepend:
      if (status === STATUS.ok) {
        return operation.succeed(new ConfirmedWrite(uint64(reply.casHigh, reply.casLow), connection), "ok");
      }
      if (status === STATUS.exists) return notStored(operation, "exists");
      if (status === STATUS.notFound) return notStored(operation, "not-found");
      if (status === STATUS.notStored) return notStored(operation, "not-stored");
      break;
    case VERB.delete:
      if (status === STATUS.ok) return operation.succeed(true, "ok");
      if (status === STATUS.notFound) return operation.succeed(false, "miss");
      if (status === STATUS.exists) return operation.succeed(false, "refused");
      break;
    case VERB.incr:
    case VERB.decr:
      if (status === STATUS.ok) return operation.succeed(reply.counter(), "ok");
      if (status === STATUS.notFound) return operation.succeed(undefined, "miss");
      // Another client has created it after the server found it missing: next time it is there.
      if (status === STATUS.notStored && mayAskAgain(operation.details!)) return connection.send(operation);
      break;
    case VERB.touch:
      if (status === STATUS.ok) return operation.succeed(true, "ok");
      if (status === STATUS.notFound) return operation.succeed(false, "miss");
      break;
    case VERB.stats:
      if (status === STATUS.ok) return gatherStatistic(operation, reply);
      break;
    case VERB.version:
      if (status === STATUS.ok) return operation.succeed(textOf(reply), "ok");
      break;
    case VERB.flushAll:
      if (status === STATUS.ok) return operation.succeed(undefined, "ok");
      break;
  }
  operation.fail(refused(operation, connection.server, status, connection.redacted(textOf(reply))));
}

/** It would create a counter, and has not been refused too often. */
function mayAskAgain(details: Details): boolean {
  if (details.exptime === DO_NOT_CREATE) return false;
  details.refusals = (details.refusals ?? 0) + 1;
  return details.refusals < MOST_ASKED;
}

/** A fenced operation whose connection is gone: certainly not done. */
export function answerConnectionLost(operation: Operation): void {
  if (operation.verb === VERB.delete) operation.succeed(false, "refused");
  else notStored(operation, "connection-lost");
}

function notStored(operation: Operation, reason: (WriteResult & { stored: false })["reason"]): void {
  operation.succeed({ stored: false, reason }, "refused");
}

/**
 * Hits come one by one; the NOOP's answer ends the run. What is wrong with one of them leaves the others as they are: the
 * run resolves with it. Only a missing login rejects at once, since nothing else can follow.
 */
function gatherItem(operation: Operation, reply: Reply, connection: Connection): void {
  const { status, flaw } = reply;
  const details = operation.details!;
  if (reply.last) return operation.succeed(details.failure, details.failure === undefined ? "ok" : "error");
  const key = details.list!.keys[reply.index]!;
  if (flaw !== undefined) return void (details.failure ??= flawed(operation, connection.server, key, flaw, status));
  if (status !== STATUS.ok) {
    const error = refused(operation, connection.server, status, connection.redacted(textOf(reply)));
    if (status === STATUS.auth) return operation.fail(error);
    return void (details.failure ??= error);
  }
  (operation.gathered as Map<string, Item>).set(key, new ReceivedItem(key, reply, connection));
}

function gatherStatistic(operation: Operation, reply: Reply): void {
  const found = (operation.gathered ??= new Map()) as Map<string, string>;
  if (reply.last) return operation.succeed(found, "ok");
  const name = decoder.decode(reply.chunk.subarray(reply.keyStart, reply.keyEnd));
  const text = textOf(reply);
  if (name !== "detailed") return void found.set(name, text);
  // In binary "detail dump" is one statistic, with the lines in it that are statistics of their own on meta.
  for (const [, prefix, counts] of text.matchAll(/^PREFIX (\S+) ?(.*?)\r?$/gm)) found.set(prefix!, counts!);
}

/** A reply's value as text: that of an error, mostly. */
export const textOf = ({ chunk, valueStart, valueEnd }: Reply): string =>
  decoder.decode(chunk.subarray(valueStart, valueEnd));
