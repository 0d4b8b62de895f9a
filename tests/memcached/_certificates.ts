/** Certificates of the tests: `server` is localhost's, `elsewhere` cache.test's; both, and `client`, by `authority`. */

import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const folder = new URL("../certificates/", import.meta.url);

type Name = "authority" | "stranger" | "server" | "elsewhere" | "client";

/** A certificate as PEM. */
export const certificate = (name: Name): Promise<string> => readFile(new URL(`${name}.pem`, folder), "utf8");

/** Its key as PEM. */
export const keyOf = (name: "client"): Promise<string> => readFile(new URL(`${name}.key`, folder), "utf8");

/** What makes a memcached speak TLS, and show this certificate. */
export function tlsArguments(name: "server" | "elsewhere", more = ""): readonly string[] {
  const path = (file: string) => fileURLToPath(new URL(file, folder));
  return ["-Z", "-o", `ssl_chain_cert=${path(`${name}.pem`)},ssl_key=${path(`${name}.key`)}${more}`];
}

/** Only clients that show a certificate of `authority` are let in. */
export const onlyKnownClients = (): string =>
  `,ssl_verify_mode=2,ssl_ca_cert=${fileURLToPath(new URL("authority.pem", folder))}`;
