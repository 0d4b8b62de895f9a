/** What a connection and its server know of each other. */

import type { Clock } from "../../util/clock.ts";
import type { MemcachedError } from "../../errors.ts";
import type { Address, Connect, TlsTerms } from "../../socket/socket.ts";
import type { Login } from "./handshake.ts";
import type { Carrier, Operation } from "./operation.ts";
import type { Wires } from "./negotiation.ts";

/** What all connections of a server have in common. */
export interface ConnectionSettings {
  /** The server's name. */
  readonly server: string;
  readonly address: Address;
  readonly wires: Wires;
  readonly tls: TlsTerms | undefined;
  readonly login: Login | undefined;
  /** The login may leave this machine unencrypted. */
  readonly allowInsecureAuth: boolean;
  readonly longestValueBytes: number;
  readonly keepAliveMs: number | undefined;
  readonly timeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly maxInFlight: number;
  readonly maxBytesInFlight: number;
  readonly clock: Clock;
  /** Default: the runtime's. */
  readonly connect: Connect | undefined;
}

/** How a connection ended. */
export interface End {
  readonly cause: MemcachedError;
  /** Its probe had been answered. */
  readonly wasReady: boolean;
  /** Something that was sent had not been answered. */
  readonly owed: boolean;
  /**
   * "broken": the other side ended it, or sent what cannot be read. "hung": a whole timeout passed without a byte while
   * something was in flight. "silent": the same, and the connection had been at rest before: something between us and the
   * server may have forgotten it. "stuck": bytes came, and the answer that is due was not whole after twice the timeout, so
   * that nothing behind it was answered: the connection is of no use, but its server works. "drained": it had been told
   * to drain, and nobody waited any more. "reopen": it found out what the server speaks, and that this takes a new
   * connection.
   */
  readonly how: "broken" | "hung" | "silent" | "stuck" | "drained" | "reopen";
  /** Since when the server has owed a byte, as `responsiveTime` reads time; only of "hung" and "silent". */
  readonly quietSince: number;
  /** What may go out on another connection: never sent, or a read that was sent once. */
  readonly movable: readonly Operation[];
}

/** What a connection tells its server. */
export interface ConnectionListener {
  /** The probe was answered, so long after the connection was begun. */
  ready(connection: Carrier, ms: number): void;
  /** Something was answered. */
  answered(): void;
  /** Once; nothing is told afterwards. */
  ended(connection: Carrier, end: End): void;
}
