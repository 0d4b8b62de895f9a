/**
 * From a socket that is connected to one that can be used. A successful connect proves nothing: the kernel accepts for a
 * server that is stopped. So each new connection is probed.
 *
 *     binary   [login] NOOP                one write: alone, a login would get no answer from a text-only server
 *     auto     NOOP, then [login] NOOP     no password is sent before the server has shown that it speaks binary
 *     meta     mg %probe                   not mn: memcached 1.6.45 with an authfile closes on that without a word
 *     meta     login, then mn              alone: with something behind it, a refusal is not answered there [measured]
 *
 * A NOOP's opcode is a line feed: a text-only server answers that with an error at once, where a GET gets nothing at all
 * [measured]. TLS comes before this, below in the socket.
 */

import { AuthError, type MemcachedError, ProtocolError } from "../../errors.ts";
import type { Address } from "../../socket/socket.ts";
import { quote } from "../protocol/keys.ts";
import { type Details, Request, VERB, type Verb } from "../protocol/request.ts";
import { ERROR_LINE, tooManyConnections } from "../protocol/text.ts";
import { type Reply, STATUS, type Unreadable, type Wire } from "../protocol/wire.ts";
import type { Negotiation } from "./negotiation.ts";
import { textOf } from "./reply.ts";

/** Who logs in. */
export type Login = NonNullable<Details["login"]>;

/**
 * What the answers so far come to: "wait" for more of them; "write" the next step; "ready": the connection can be used;
 * "reopen": it takes a new connection; an error says why the server cannot be used.
 */
export type Progress = "wait" | "write" | "ready" | "reopen" | MemcachedError;

/** A key that nobody has: `mg` of it says that there is nothing. A short line would not be answered without a login. */
const PROBE_KEY = "%probe";

/** The steps of one connection. */
export class Handshake {
  readonly #server: string;
  readonly #login: Login | undefined;
  readonly #wire: Wire;
  readonly #negotiation: Negotiation;
  /** This connection is to show what the server speaks. */
  readonly #negotiates: boolean;
  /** Sent, not answered. */
  #due: Request[] = [];
  /** This step only finds out whether the server speaks binary; a login comes after it. */
  #asksForBinary: boolean;
  /** A login was answered. */
  #loggedIn = false;

  constructor(server: string, login: Login | undefined, wire: Wire, negotiation: Negotiation) {
    this.#server = server;
    this.#login = login;
    this.#wire = wire;
    this.#negotiation = negotiation;
    this.#negotiates = negotiation.undecided;
    this.#asksForBinary = this.#negotiates && wire.speaks === "binary";
  }

  /** What to send at first, and after "write". */
  write(): Uint8Array {
    const wire = this.#wire;
    this.#due = this.#nextRequests();
    const bytes = new Uint8Array(this.#due.reduce((room, request) => room + wire.room(request), 0));
    return bytes.subarray(0, this.#due.reduce((at, request) => wire.write(request, bytes, at), 0));
  }

  #nextRequests(): Request[] {
    const noop = new Request(VERB.noop, "", 0, undefined);
    const login = this.#login === undefined || this.#asksForBinary || this.#loggedIn
      ? undefined
      : new Request(VERB.login, "", 0, { login: this.#login });
    if (this.#wire.speaks === "binary") return login === undefined ? [noop] : [login, noop];
    if (login !== undefined) return [login];
    return [this.#loggedIn ? noop : new Request(VERB.get, PROBE_KEY, PROBE_KEY.length, undefined)];
  }

  /** Reads the answers that have come. Throws Unreadable. */
  read(): Progress {
    for (;;) {
      const reply = this.#wire.next(this.#due[0]);
      if (reply === undefined) return "wait";
      const progress = this.#progressAfter(reply);
      // A frame is binary whatever it says; an error line need not be one of a server that knows meta commands.
      const { speaks } = this.#wire;
      if (this.#negotiates && (speaks === "binary" || !(progress instanceof ProtocolError))) {
        this.#negotiation.detected(speaks);
      }
      if (progress !== "wait") return progress;
      if (this.#due.length === 0) return "write";
    }
  }

  /**
   * Is this the server's refusal of binary: an error line, or (without `found`) a close without a word? Then the next
   * connection asks in meta. One connection too many is refused by a line as well, which says nothing about that.
   */
  isRefusalOfBinary(found?: Unreadable): boolean {
    if (!this.#negotiates || this.#wire.speaks !== "binary") return false;
    const { text } = found ?? {};
    if (found !== undefined && (text === undefined || !ERROR_LINE.test(text) || tooManyConnections(text))) return false;
    this.#negotiation.binaryRefused();
    return true;
  }

  /** What a server did that closed the connection before it had said anything. */
  get closedSilently(): string {
    const { speaks } = this.#wire;
    return `closed the new connection without a word, ${
      this.#negotiates
        ? "in binary and in meta, as a proxy does that knows neither"
        : `as a proxy does that does not speak ${speaks}`
    }`;
  }

  /**
   * The handshake failed. The server may have spoken this protocol before and speak another one now, so the next connection
   * finds that out. A server that could not be reached has shown nothing.
   */
  failed(during: "connecting" | "handshake"): void {
    if (during === "handshake" || this.#negotiates) this.#negotiation.reset();
  }

  #progressAfter(reply: Reply): Progress {
    const { status } = reply;
    const server = this.#server;
    const { verb } = this.#due.shift()!;
    if (verb === VERB.login) {
      this.#loggedIn = true;
      if (status === STATUS.ok) return "wait";
      if (status === STATUS.auth) return new AuthError(`${server} refused the login`, server);
      const remedy = "leave `username` and `password` out";
      return new AuthError(`${server} takes no login (${statusText(status)}); ${remedy}`, server);
    }
    if (status === STATUS.auth) {
      // memcached closes a connection on which it was asked something before the login.
      if (this.#asksForBinary && this.#login !== undefined) return "reopen";
      return new AuthError(`${server} wants a login, and none was given`, server);
    }
    const answered = status === STATUS.ok ||
      verb === VERB.get && (status === STATUS.notFound || status === STATUS.tooLarge);
    if (!answered) return this.#refusal(verb, status, withoutLogin(textOf(reply), this.#login));
    if (!this.#asksForBinary || this.#login === undefined) return "ready";
    this.#asksForBinary = false;
    return "wait";
  }

  #refusal(verb: Verb, status: number, said: string): ProtocolError {
    const server = this.#server;
    if (status === STATUS.unknownCommand && said.startsWith("ERROR")) {
      const what = this.#negotiates && this.#wire.speaks === "meta"
        ? "speaks no binary, and knows no meta commands"
        : 'knows no meta commands, as memcached before 1.6; one of those needs `protocol: "binary"` or `"auto"`';
      return new ProtocolError(`${server} ${what}: it answered "ERROR"`, server);
    }
    const what = verb === VERB.noop ? "a NOOP" : "a new connection's first question";
    const answer = said === "" ? statusText(status) : `${quote(said)} (${statusText(status)})`;
    return new ProtocolError(`${server} answered ${what} with ${answer}`, server);
  }
}

const statusText = (status: number): string => `status 0x${status.toString(16)}`;

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
