/**
 * Every error of this library that is not a plain wrong argument (those are TypeError and RangeError).
 *
 * An error's text names the action, then the state, then (driver) the fate of the connection.
 */

/** The base of every error of this library that is no wrong argument. */
export class CacheError extends Error {}

/** An argument that has no identity (function, symbol, promise, class instance without `[cacheKey]`); names its position. */
export class CacheKeyError extends TypeError {}

/** A value that cannot be kept. */
export class CacheValueError extends CacheError {}

/** A call waited longer than its `timeout`. */
export class CacheTimeoutError extends CacheError {}

/** The base of what went wrong with one memcached server. */
export class MemcachedError extends CacheError {
  /** The server's address, without weight: `host:port`, `[::1]:11211`, or the socket's path. */
  readonly server: string;

  /** `server`: whose error it is. */
  constructor(message: string, server: string, options?: ErrorOptions) {
    super(message, options);
    this.server = server;
  }
}

/** Refused, lost, dead or closed. */
export class ConnectionError extends MemcachedError {}

/** No answer in time: the outcome is unknown. */
export class TimeoutError extends MemcachedError {}

/** Bytes we cannot read, or a server that does not speak this protocol. */
export class ProtocolError extends MemcachedError {}

/** The server refused the login, or a password would have left this machine unencrypted. */
export class AuthError extends MemcachedError {}

/** The server answered with an error. */
export class ServerError extends MemcachedError {
  /** The binary protocol's status code, on both wires. */
  readonly status: number;

  /** `status`: what the server answered, as the binary protocol numbers it. */
  constructor(message: string, server: string, status: number, options?: ErrorOptions) {
    super(message, server, options);
    this.status = status;
  }
}

/** The value is larger than the server, or `maxValueBytes`, takes. */
export class ValueTooLargeError extends ServerError {}

/** Our own bound (`maxInFlight`, `maxBytesInFlight`) is reached; nothing was sent. */
export class QueueFullError extends MemcachedError {}

/** Given as text, since a bundler may rename the classes. */
const byName = {
  CacheError,
  CacheKeyError,
  CacheValueError,
  CacheTimeoutError,
  MemcachedError,
  ConnectionError,
  TimeoutError,
  ProtocolError,
  AuthError,
  ServerError,
  ValueTooLargeError,
  QueueFullError,
};
for (const [name, { prototype }] of Object.entries(byName)) prototype.name = name;
