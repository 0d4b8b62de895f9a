import { assertEquals, assertInstanceOf, assertMatch } from "@std/assert";
import { test } from "node:test";
import { AuthError, ProtocolError, ServerError, ValueTooLargeError } from "../../../src/errors.ts";
import { refused, unreadable } from "../../../src/memcached/connection/failure.ts";
import { Request, VERB } from "../../../src/memcached/protocol/request.ts";
import { STATUS, Unreadable } from "../../../src/memcached/protocol/wire.ts";

const asked = (verb: Request["verb"]) => new Request(verb, "k", 1, undefined);

test("refused() is an AuthError where a login is wanted, but not for a flush that the server does not allow", () => {
  const error = refused(asked(VERB.get), "a:1", STATUS.auth, "Auth failure");
  assertInstanceOf(error, AuthError);
  assertEquals(error.message, 'Cannot get "k": a:1 answered "Auth failure" (status 0x20); the connection lives');
  assertInstanceOf(refused(asked(VERB.flushAll), "a:1", STATUS.auth, "Auth failure"), ServerError);
});

test("refused() carries the status", () => {
  const error = refused(asked(VERB.set), "a:1", STATUS.tooLarge, "Too large");
  assertInstanceOf(error, ValueTooLargeError);
  assertEquals((refused(asked(VERB.set), "a:1", 0x82, "") as ServerError).status, 0x82);
});

test("unreadable() adds nothing to what the wire found", () => {
  const error = unreadable(new Unreadable('the text "HTTP/1.1 400" where a reply was due', "HTTP/1.1 400"), "a:1");
  assertInstanceOf(error, ProtocolError);
  assertMatch(error.message, /^a:1 sent the text "HTTP\/1.1 400" where a reply was due$/);
});
