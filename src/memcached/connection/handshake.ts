/**
 * From a socket that is connected to one that can be used. A successful connect proves nothing: the kernel accepts for a
 * server that is stopped. So each new connection is probed.
 *
 *     binary   [login] NOOP                one write: alone, a login would get no answer from a text-only server
 *     auto     NOOP, then [login] NOOP     no password is sent before the server has shown that it speaks binary
 *     meta     mg %probe                   not mn: memcached 1.6.45 with an authfile closes on that without a word
 *     meta     login, then mn              alone: with something behind it, a refused login is not told there [measured]
 *
 * A NOOP's opcode is a line feed: a text-only server answers that with an error at once, where a GET gets nothing at all
 * [measured]. TLS comes before this, below in the socket.
 */

import { AuthError, type MemcachedError, ProtocolError } from "../../errors.ts";
import type { Address } from "../../socket/socket.ts";
import { quote } from "../protocol/keys.ts";
import { type Details, Request, VERB, type Verb } from "../protocol/request.ts";
import { type Reply, STATUS, type Wire } from "../protocol/wire.ts";

/** Who logs in. */
export type Login = NonNullable<Details["login"]>;

/** What the last answer means: usable; more is to come; usable on a new connection; or why it will never be. */
export type Progress = "ready" | "wait" | "reopen" | MemcachedError;

/** A key that nobody has: `mg` of it says that there is nothing. A short line would not be answered without a login. */
const PROBE_KEY = "%probe";

/** The steps of one connection. */
export class Handshake {
  readonly #server: string;
  readonly #login: Login | undefined;
  /** Sent, not answered. */
  #due: Request[] = [];
  /** It asks in binary whether that is spoken, before anything else. */
  #probing: boolean;
  /** By a login that stood alone. */
  #loggedIn = false;
  /** Binary was refused before. */
  readonly #isLastTry: boolean;

  /** `finds`: what the server speaks is not known yet. */
  constructor(server: string, login: Login | undefined, speaks: Wire["speaks"], finds: boolean) {
    this.#server = server;
    this.#login = login;
    this.#probing = finds && speaks === "binary";
    this.#isLastTry = finds && speaks === "meta";
  }

  /** What the next reply has to answer. */
  get expected(): Request | undefined {
    return this.#due[0];
  }

  /** What to send at first, and after "wait" with nothing more due. */
  write(wire: Wire): Uint8Array {
    this.#due = this.#next(wire.speaks);
    const bytes = new Uint8Array(this.#due.reduce((room, request) => room + wire.room(request), 0));
    return bytes.subarray(0, this.#due.reduce((at, request) => wire.write(request, bytes, at), 0));
  }

  #next(speaks: Wire["speaks"]): Request[] {
    const noop = new Request(VERB.noop, "", 0, undefined);
    const login = this.#login === undefined || this.#probing || this.#loggedIn
      ? undefined
      : new Request(VERB.login, "", 0, { login: this.#login });
    if (speaks === "binary") return login === undefined ? [noop] : [login, noop];
    if (login !== undefined) return [login];
    return [this.#loggedIn ? noop : new Request(VERB.get, PROBE_KEY, PROBE_KEY.length, undefined)];
  }

  /** Reads an answer. `said`: its text, as it may stand in an error. */
  read({ status }: Reply, said: string): Progress {
    const server = this.#server;
    const { verb } = this.#due.shift()!;
    const code = `status 0x${status.toString(16)}`;
    if (verb === VERB.login) {
      this.#loggedIn = true;
      if (status === STATUS.ok) return "wait";
      if (status === STATUS.auth) return new AuthError(`${server} refused the login`, server);
      return new AuthError(`${server} takes no login (${code}); leave \`username\` and \`password\` out`, server);
    }
    if (status === STATUS.auth) {
      // Asked before the login, it closes.
      if (this.#probing && this.#login !== undefined) return "reopen";
      return new AuthError(`${server} wants a login, and none was given`, server);
    }
    const answered = status === STATUS.ok ||
      verb === VERB.get && (status === STATUS.notFound || status === STATUS.tooLarge);
    if (!answered) return this.#refused(verb, status, said);
    if (!this.#probing || this.#login === undefined) return "ready";
    this.#probing = false;
    return "wait";
  }

  #refused(verb: Verb, status: number, said: string): ProtocolError {
    const server = this.#server;
    if (status === STATUS.unknownCommand && said.startsWith("ERROR")) {
      const what = this.#isLastTry
        ? "speaks no binary, and knows no meta commands"
        : 'knows no meta commands, as memcached before 1.6; one of those needs `protocol: "binary"` or `"auto"`';
      return new ProtocolError(`${server} ${what}: it answered "ERROR"`, server);
    }
    const code = `status 0x${status.toString(16)}`;
    const what = verb === VERB.noop ? "a NOOP" : "a new connection's first question";
    return new ProtocolError(
      `${server} answered ${what} with ${said === "" ? code : `${quote(said)} (${code})`}`,
      server,
    );
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
