/**
 * Every error of this library that is not a plain wrong argument (those are TypeError and RangeError).
 *
 * An error's text names the action, then the state, then (driver) the fate of the connection.
 */

/** The base class of this library's errors. Wrong arguments are TypeError and RangeError instead. */
export class CacheError extends Error {}

/** An argument has no identity (a function, a symbol, a promise, a class instance without `[cacheKey]`). The message names its position. */
export class CacheKeyError extends TypeError {}

/** A value cannot be kept, or what was kept cannot be read. */
export class CacheValueError extends CacheError {}

/** A call waited longer than its `timeout`. */
export class CacheTimeoutError extends CacheError {}

/** The base class of errors with one memcached server. */
export class MemcachedError extends CacheError {
  /** The server's address, without weight: `host:port`, `[::1]:11211`, or the socket's path. */
  readonly server: string;

  /** `server`: whose error it is. */
  constructor(message: string, server: string, options?: ErrorOptions) {
    super(message, options);
    this.server = server;
  }
}

/** The connection was refused, lost or closed, or the server is held for dead. */
export class ConnectionError extends MemcachedError {}

/** No answer came in time. Whether the server executed the operation is unknown. */
export class TimeoutError extends MemcachedError {}

/** The server sent bytes that cannot be read, or does not speak this protocol. */
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

/** The client's own bound (`maxInFlight`, `maxBytesInFlight`) is reached. Nothing was sent. */
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
