/** The errors of calls that fail: each says the action, then the state, then the fate of the connection. */

import {
  AuthError,
  ConnectionError,
  type MemcachedError,
  ProtocolError,
  QueueFullError,
  ServerError,
  TimeoutError,
  ValueTooLargeError,
} from "../../errors.ts";
import { quote } from "../protocol/keys.ts";
import { type Request, VERB, VERB_NAMES } from "../protocol/request.ts";
import { tooManyConnections } from "../protocol/text.ts";
import { STATUS, type Unreadable } from "../protocol/wire.ts";

/** `set "cities"`. */
export function actionOf({ verb, key, details }: Request): string {
  const keys = details?.list?.keys;
  const what = keys !== undefined ? ` ${keys.length} keys` : key === "" ? "" : ` ${quote(key)}`;
  return `${VERB_NAMES[verb]}${what}`;
}

const cannot = (request: Request): string => `Cannot ${actionOf(request)}`;

/** What is behind an error, in half a sentence. */
const reason = (cause: Error): string => cause.message.replace(/\.$/, "");

/** Whether a byte of a request has left: if so, nobody knows what the server has done. */
export type Departure = "sent" | "unsent";

/** No answer in time. */
export function timedOut(request: Request, server: string, timeoutMs: number, fate: Departure): TimeoutError {
  const state = fate === "sent"
    ? `no answer from ${server} within ${timeoutMs} ms, so its outcome is unknown; a late answer will be dropped`
    : `no connection to ${server} within ${timeoutMs} ms; nothing was sent`;
  return new TimeoutError(`${cannot(request)}: ${state}`, server);
}

/** Its connection has ended, or never came to be. */
export function lost(request: Request, server: string, cause: MemcachedError, fate: Departure): MemcachedError {
  const outcome = fate === "sent" ? "its outcome is unknown" : "nothing was sent";
  const message = `${cannot(request)}: ${reason(cause)}; ${outcome}, the connection is closed`;
  if (cause instanceof AuthError) return new AuthError(message, server, { cause });
  if (cause instanceof ProtocolError) return new ProtocolError(message, server, { cause });
  return new ConnectionError(message, server, { cause });
}

/** Its server is dead. */
export function dead(request: Request, server: string, cause: MemcachedError): MemcachedError {
  const message = `${cannot(request)}: ${server} is dead (${reason(cause)}); nothing was sent`;
  const options = { cause };
  return cause instanceof AuthError
    ? new AuthError(message, server, options)
    : new ConnectionError(message, server, options);
}

/** The client is closed. */
export function closed(request: Request, server: string): ConnectionError {
  return new ConnectionError(`${cannot(request)}: the client is closed`, server);
}

/** The client is closed, and no server is concerned. */
export const clientClosed = (action: string): ConnectionError =>
  new ConnectionError(`Cannot ${action}: the client is closed`, "");

/** Some servers did not answer, or there is no list of them. */
export function notReady(errors: readonly unknown[], servers: number): AggregateError {
  const texts = errors.map((error) => error instanceof Error ? error.message : String(error));
  const shown = texts.slice(0, 3).join("; ") + (texts.length > 3 ? "; …" : "");
  const which = servers === 0 ? "no list of servers has come" : `${errors.length} of ${servers} servers did not answer`;
  return new AggregateError(errors, `Not ready: ${which}: ${shown}`);
}

/** No list of servers has come yet. */
export const undiscovered = (key: string): ConnectionError =>
  new ConnectionError(`Cannot tell the server of ${quote(key)}: the servers have not been discovered yet`, "");

/** Too much is in flight. */
export function queueFull(request: Request, server: string, state: string): QueueFullError {
  return new QueueFullError(`${cannot(request)}: ${state}; nothing was sent, the connection lives`, server);
}

/** The server answered with an error. `text`: what it said. */
export function refused(request: Request, server: string, status: number, text: string): MemcachedError {
  const said = `${server} answered ${quote(text || "without a word")} (status 0x${status.toString(16)})`;
  const message = `${cannot(request)}: ${said}; the connection lives`;
  // A server without a login answers a flush with this status when it allows none (memcached -F).
  if (status === STATUS.auth && request.verb !== VERB.flushAll) return new AuthError(message, server);
  if (status === STATUS.tooLarge) return new ValueTooLargeError(message, server, status);
  return new ServerError(message, server, status);
}

/** A value is longer than may be sent. */
export function tooLarge(request: Request, server: string, bytes: number, longest: number): ValueTooLargeError {
  const state = `value is ${bytes} bytes, ${server} takes ${longest}`;
  return new ValueTooLargeError(
    `${cannot(request)}: ${state} (see \`maxValueBytes\`); nothing was sent, the connection lives`,
    server,
    STATUS.tooLarge,
  );
}

/** The answer has come, and cannot be given: `flaw` says why. */
export function flawed(
  request: Request,
  server: string,
  key: string,
  flaw: string,
  status: number,
): MemcachedError {
  const what = request.key === key ? "" : ` of ${quote(key)}`;
  const message = `${cannot(request)}: the answer${what} from ${server} cannot be given: ${flaw}; the connection lives`;
  if (status === STATUS.tooLarge) return new ValueTooLargeError(message, server, status);
  return new ProtocolError(message, server);
}

/** A password is not sent. */
export function exposed(server: string): AuthError {
  const remedy = "use `tls`, or allow it by `allowInsecureAuth: true`";
  return new AuthError(`the login would leave this machine unencrypted on its way to ${server}: ${remedy}`, server);
}

/** The bytes make no sense: why the connection is given up. */
export function unreadable(found: Unreadable, server: string): MemcachedError {
  if (found.text !== undefined && tooManyConnections(found.text)) {
    return new ConnectionError(`${server} refused the connection: "Too many open connections"`, server);
  }
  return new ProtocolError(`${server} sent ${found.message}`, server, { cause: found });
}
