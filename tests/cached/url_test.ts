import { test } from "node:test";
import { assert, assertEquals, assertThrows } from "@std/assert";
import { optionsOfUrl } from "../../src/cached/url.ts";
import { Memcached } from "../../src/memcached/mod.ts";

const serversOf = (url: string) => optionsOfUrl(url).servers;

function refused(url: string, ...parts: string[]): string {
  const { message } = assertThrows(() => optionsOfUrl(url), TypeError) as TypeError;
  for (const part of parts) assert(message.includes(part), `${message} | ${part}`);
  return message;
}

test("memory: has parameters only", () => {
  for (const url of ["memory://", "memory:///", "memory:///?", "memory:///?&"]) {
    assertEquals(optionsOfUrl(url), { backend: {}, store: {} });
  }
  assertEquals(optionsOfUrl("memory:///?maxBytes=64000000&maxEntries=10&ttl=5m"), {
    backend: { ttl: "5m" },
    store: { maxBytes: 64_000_000, maxEntries: 10 },
  });
});

test("both kinds know the parameters of a backend; a bare number is seconds", () => {
  const query =
    "project=shop&version=42&ttl=300&stale=1.5m&group=a%2Cb&group=c&mintDelay=2s&jitter=0.1&storeTimeout=250ms&outageConcurrency=20";
  const backend = {
    project: "shop",
    version: "42",
    ttl: 300,
    stale: "1.5m",
    group: ["a,b", "c"],
    mintDelay: "2s",
    jitter: 0.1,
    storeTimeout: "250ms",
    outageConcurrency: 20,
  };
  assertEquals<unknown>(optionsOfUrl(`memory:///?${query}`), { backend, store: {} });
  assertEquals<unknown>(optionsOfUrl(`memcached://a/?${query}`), { backend, servers: ["a"], store: {} });
  assertEquals<unknown>(optionsOfUrl("memory:///?ttl=Infinity&project=a%20b%26c+d").backend, {
    ttl: Infinity,
    project: "a b&c+d",
  });
});

test("redefine and enabled are true or false", () => {
  assertEquals(optionsOfUrl("memory:///?enabled=false&redefine=true").backend, { enabled: false, redefine: true });
  assertEquals(optionsOfUrl("memcached://a/?enabled=true").backend, { enabled: true });
  refused("memory:///?enabled=0", "its parameter enabled must be true or false");
  refused("memory:///?redefine=yes", "its parameter redefine must be true or false");
});

test("memcached: takes hosts, ports, IPv6 addresses and unix sockets, one or many", () => {
  assertEquals(serversOf("memcached://10.0.0.1"), ["10.0.0.1"]);
  assertEquals(serversOf("memcached://10.0.0.1:11212,cache.local/"), ["10.0.0.1:11212", "cache.local"]);
  assertEquals(serversOf("memcached://10.0.0.1:11212%202,cache.local/"), ["10.0.0.1:11212 2", "cache.local"]);
  assertEquals(serversOf("memcached://[::1]:11212,[fe80::1]/?ttl=5m"), ["[::1]:11212", "[fe80::1]"]);
  assertEquals(serversOf("memcached:///run/memcached.sock"), ["/run/memcached.sock"]);
  assertEquals(serversOf("memcached:///run/a%3F.sock,/run/c.sock?ttl=5m"), ["/run/a?.sock", "/run/c.sock"]);
});

test("memcached: passes the driver's parameters on", () => {
  const query = "protocol=meta&timeout=2&connectTimeout=500ms&connections=2&deadServers=eject";
  assertEquals<unknown>(optionsOfUrl(`memcached://a/?${query}&storeTimeout=1`), {
    backend: { storeTimeout: 1 },
    servers: ["a"],
    store: { protocol: "meta", timeout: 2, connectTimeout: "500ms", connections: 2, deadServers: "eject" },
  });
  assertEquals<unknown>(optionsOfUrl("memcacheds://a,b/").store, { tls: true });
});

test("memcached: passes the driver's discovery, bounds and ways to connect on", () => {
  const store = (url: string) => optionsOfUrl(url).store;
  assertEquals<unknown>(
    store("memcached://a/?maxValueBytes=4000000&maxInFlight=20000&keepAlive=1m&allowInsecureAuth=true"),
    {
      maxValueBytes: 4_000_000,
      maxInFlight: 20_000,
      keepAlive: "1m",
      allowInsecureAuth: true,
    },
  );
  assertEquals<unknown>(store("memcached://a/?allowInsecureAuth=false&keepAlive=90"), {
    allowInsecureAuth: false,
    keepAlive: 90,
  });
  assertEquals<unknown>(store("memcached://a/?discovery=true"), { discovery: true });
  assertEquals<unknown>(store("memcached://a/?discovery=false"), { discovery: false });
  assertEquals<unknown>(store("memcached://a/?discovery=30s"), { discovery: { interval: "30s" } });
  assertEquals<unknown>(store("memcached://a/?discovery=10"), { discovery: { interval: 10 } });
  assertEquals<unknown>(store("memcacheds://10.0.0.1/?serverName=cache.example.com"), {
    tls: { serverName: "cache.example.com" },
  });
  refused("memcached://a/?serverName=cache.example.com", "serverName", "memcacheds://");
  refused("memcached://a/?allowInsecureAuth=yes", "its parameter allowInsecureAuth must be true or false");
  refused("memcached://a/?maxInFlight=many", "its parameter maxInFlight must be a number");
  refused("memcached://a/?ca=x", 'it has no parameter "ca"');
  refused("memory:///?discovery=true", 'it has no parameter "discovery"');
  // What they may be is the driver's to say, by the same names.
  for (
    const query of [
      "maxInFlight=0",
      "maxValueBytes=1.5",
      "keepAlive=10h",
      "discovery=0",
      "keepAlive=soon",
      "discovery=yes",
    ]
  ) {
    const { servers, store } = optionsOfUrl(`memcached://a/?${query}`);
    const error = assertThrows(() => new Memcached(servers, store)) as Error;
    assert(error.message.includes(`\`${query.split("=")[0]}`), error.message);
  }
});

test("user and password are percent-decoded, and the last @ ends them", () => {
  const read = (url: string) => {
    const { servers, store } = optionsOfUrl(url);
    return [servers?.join(), store];
  };
  assertEquals<unknown>(read("memcached://us%3Aer:p%40%2F%3Fw@a/"), ["a", { username: "us:er", password: "p@/?w" }]);
  assertEquals<unknown>(read("memcached://user:p@ss:word@a,b/"), ["a,b", { username: "user", password: "p@ss:word" }]);
  assertEquals<unknown>(read("memcacheds://user:@[::1]"), ["[::1]", { username: "user", password: "", tls: true }]);
  assertEquals<unknown>(read("memcached://user:pw@/run/x.sock"), ["/run/x.sock", { username: "user", password: "pw" }]);
});

test("an unknown parameter is a TypeError that names it and lists the known ones", () => {
  const backend =
    "project, version, ttl, stale, group, mintDelay, jitter, storeTimeout, outageConcurrency, redefine, " +
    "enabled, detectCycles";
  refused("memory:///?timeout=1", 'it has no parameter "timeout"', `${backend}, maxBytes, maxEntries`);
  refused(
    "memcached://a/?maxBytes=1",
    'it has no parameter "maxBytes"',
    `${backend}, protocol, timeout, connectTimeout, connections, deadServers, discovery, maxValueBytes, maxInFlight, `,
    "keepAlive, serverName, allowInsecureAuth",
  );
  refused("memory:///?toString=1", 'it has no parameter "toString"');
  refused("memory:///?TTL=1", 'it has no parameter "TTL"');
});

test("a wrong value is a TypeError that names its parameter", () => {
  refused("memory:///?ttl=", "its parameter ttl is empty");
  refused("memory:///?ttl", "its parameter ttl is empty");
  refused("memory:///?ttl=1&ttl=2", "it has ttl twice");
  refused("memory:///?maxBytes=64MB", "its parameter maxBytes must be a number");
  refused("memory:///?jitter=-1", "jitter must be a number");
  refused("memory:///?project=%zz", "project has a % that is no percent-encoding");
  refused("memcached://a/?protocol=ascii", "its parameter protocol must be binary or meta or auto");
  refused("memcached://a/?deadServers=no", "its parameter deadServers must be fail or eject");
});

test("what is no such URL is a TypeError", () => {
  for (const url of ["", "localhost:11211", "redis://a", "memory:", "memcached:a", "http://memory:///", "MEMORY:///"]) {
    refused(url, "it must begin with memory:// or memcached:// or memcacheds://");
  }
  refused("memory://host/", "memory: has no host and no path");
  refused("memory:///path", "memory: has no host and no path");
  refused("memcached://", "it names no server");
  refused("memcached:///?ttl=1", "it names no server");
  refused("memcached://a,,b/", "one of its servers is empty");
  refused("memcached://a/run/x.sock", "it has a host and a path");
  refused("memcached://user@a/", "a user and a password");
  refused("memcached://:pw@a/", "a user and a password");
});

test("no error repeats a secret, wherever a mistyped password ends up", () => {
  const urls = [
    "memcached://user:hunter2@a/?nope=1",
    "memcached://user:hunter2@a/?ttl=",
    "memcached://user:hunter2@",
    "memcached://user:hunter2@a/path",
    "memcached://user:hunter2%zz@a/",
    "memcached://user:x/hunter2@a/",
    "memcached://user:x?hunter2@a/",
    "memcached://user:x?hunter2=@a/",
    "memcached://user:x#hunter2@a/",
    "memcached://user:/hunter2@a/",
    "memcached://hunter2@a/",
    "memcached:user:hunter2@a",
    "hunter2@a",
    "memory://user:hunter2@a/",
    "memcached://user:hunter2/",
    "memcached://u:p@h:hunter2/",
    "memcached://a,user:hunter2/",
  ];
  for (const url of urls) assert(!refused(url).includes("hunter2"), url);
});
