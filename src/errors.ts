/**
 * Every error of this library that is not a plain wrong argument (those are TypeError and RangeError).
 *
 * An error's text names the action, then the state, then (driver) the fate of the connection.
 */

/** The base of every error of this library that is no wrong argument. */
export class CacheError extends Error {
  static {
    this.prototype.name = "CacheError";
  }
}

/** An argument that has no identity (function, symbol, promise, class instance without `[cacheKey]`); names its position. */
export class CacheKeyError extends TypeError {
  static {
    this.prototype.name = "CacheKeyError";
  }
}

/** A value that cannot be kept. */
export class CacheValueError extends CacheError {
  static {
    this.prototype.name = "CacheValueError";
  }
}

/** A call waited longer than its `timeout`. */
export class CacheTimeoutError extends CacheError {
  static {
    this.prototype.name = "CacheTimeoutError";
  }
}

/** The base of what went wrong with one memcached server. */
export class MemcachedError extends CacheError {
  /** The server's address, without weight: `host:port`, `[::1]:11211`, or the socket's path. */
  readonly server: string;

  /** `server`: whose error it is. */
  constructor(message: string, server: string, options?: ErrorOptions) {
    super(message, options);
    this.server = server;
  }

  static {
    this.prototype.name = "MemcachedError";
  }
}

/** Refused, lost, dead or closed. */
export class ConnectionError extends MemcachedError {
  static {
    this.prototype.name = "ConnectionError";
  }
}

/** No answer in time: the outcome is unknown. */
export class TimeoutError extends MemcachedError {
  static {
    this.prototype.name = "TimeoutError";
  }
}

/** Bytes we cannot read, or a server that does not speak this protocol. */
export class ProtocolError extends MemcachedError {
  static {
    this.prototype.name = "ProtocolError";
  }
}

/** The server refused the login, or a password would have left this machine unencrypted. */
export class AuthError extends MemcachedError {
  static {
    this.prototype.name = "AuthError";
  }
}

/** The server answered with an error. */
export class ServerError extends MemcachedError {
  /** The binary protocol's status code, on both wires. */
  readonly status: number;

  /** `status`: what the server answered, as the binary protocol numbers it. */
  constructor(message: string, server: string, status: number, options?: ErrorOptions) {
    super(message, server, options);
    this.status = status;
  }

  static {
    this.prototype.name = "ServerError";
  }
}

/** The value is larger than the server, or `maxValueBytes`, takes. */
export class ValueTooLargeError extends ServerError {
  static {
    this.prototype.name = "ValueTooLargeError";
  }
}

/** Our own bound (`maxInFlight`, `maxBytesInFlight`) is reached; nothing was sent. */
export class QueueFullError extends MemcachedError {
  static {
    this.prototype.name = "QueueFullError";
  }
}
