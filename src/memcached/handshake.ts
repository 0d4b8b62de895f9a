/**
 * From a socket that is connected to one that can be used. A successful connect proves nothing: the kernel accepts for a
 * server that is stopped. So each new connection is probed with a NOOP, whose binary opcode is a line feed: a text-only
 * server answers that with an error at once, where a GET gets nothing at all [measured].
 *
 *     binary, meta   [login] NOOP                  one write: alone, a binary login would get no answer from a text server
 *     auto           NOOP, then as above           no password is sent before the server has shown what it speaks
 *
 * TLS comes before this, below in the socket.
 */

import { AuthError, type MemcachedError, ProtocolError } from "../errors.ts";
import type { Address } from "../socket/socket.ts";
import { type Details, Request, VERB } from "./request.ts";
import { type Reply, STATUS, type Wire } from "./wire.ts";

/** Who logs in. */
export type Login = NonNullable<Details["login"]>;

/** What the last answer means: usable; more is to come; usable on a new connection; or why it will never be. */
export type Progress = "ready" | "wait" | "reopen" | MemcachedError;

/** The steps of one connection. */
export class Handshake {
  readonly #server: string;
  readonly #login: Login | undefined;
  /** Sent, not answered. */
  #due: Request[] = [];
  #probing: boolean;

  /** `finds`: what the server speaks is not known yet. */
  constructor(server: string, login: Login | undefined, finds: boolean) {
    this.#server = server;
    this.#login = login;
    this.#probing = finds;
  }

  /** What the next reply has to answer. */
  get expected(): Request | undefined {
    return this.#due[0];
  }

  /** What to send at first, and after "wait" with nothing more due. */
  write(wire: Wire): Uint8Array {
    const noop = new Request(VERB.noop, "", 0, undefined);
    this.#due = this.#login === undefined || this.#probing
      ? [noop]
      : [new Request(VERB.login, "", 0, { login: this.#login }), noop];
    const bytes = new Uint8Array(this.#due.reduce((room, request) => room + wire.room(request), 0));
    return bytes.subarray(0, this.#due.reduce((at, request) => wire.write(request, bytes, at), 0));
  }

  /** Reads an answer. */
  read({ status }: Reply): Progress {
    const server = this.#server;
    const { verb } = this.#due.shift()!;
    const code = `status 0x${status.toString(16)}`;
    if (verb === VERB.login) {
      if (status === STATUS.ok) return "wait";
      if (status === STATUS.auth) return new AuthError(`${server} refused the login`, server);
      return new AuthError(`${server} takes no login (${code}); leave \`username\` and \`password\` out`, server);
    }
    if (status === STATUS.auth) {
      // Asked before the login, it closes.
      if (this.#probing && this.#login !== undefined) return "reopen";
      return new AuthError(`${server} wants a login, and none was given`, server);
    }
    if (status !== STATUS.ok) return new ProtocolError(`${server} answered a NOOP with ${code}`, server);
    if (!this.#probing || this.#login === undefined) return "ready";
    this.#probing = false;
    return "wait";
  }
}

/** What a server says, without the login that it was sent and may repeat. */
export function withoutLogin(text: string, login: Login | undefined): string {
  if (login === undefined) return text;
  const secrets = [login.password, login.username].filter((secret) => secret !== "");
  return secrets.reduce((rest, secret) => rest.replaceAll(secret, "…"), text);
}

/** This machine. A name that only resolves to it does not count: another name server may think otherwise. */
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|::1)$/i;

/** A password would leave this machine unencrypted. */
export function exposes(address: Address): boolean {
  return "host" in address && !LOOPBACK.test(address.host);
}
