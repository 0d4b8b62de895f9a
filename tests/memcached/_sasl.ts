/** A memcached that wants a login by SASL: alice@tests may come in. */

import { Buffer } from "node:buffer";
import { writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { freshServer, type Server } from "../_memcached.ts";

/** `cyrus sasl` keeps them in a Berkeley DB file, made by: saslpasswd2 -c -p -f sasldb -u tests alice */
const SASLDB = `
H4sICBTjBWsCA2RiAO3ZMQrCMBjF8ZcOooPUxd0LVHDyBM56AiG0QYWi0kTc3b2Zi+DqJngLsaUIRTeh2/8HX0jekP3jSZJRzQ476lWXQTndOov0
a/wYSS9pvjpd7rM6M41/Pu/reb38zgEAAAAAAAAAAAAAQDuqfr7Z80e6xeo/4/L8u/+v0P8DAAAAANDiPr/P7Ta4LPEuLVxIpunE2HyTOgXng9fB
u2JhvT/uiuwNslTv/gAwAAA=`;

export const LOGIN = { username: "alice@tests", password: "planted-secret-7c1" } as const;

/** Like freshServer, with -S. */
export function saslServer(args: readonly string[] = []): Promise<Server> {
  const prepare = async (folder: string) => {
    const sasldb = join(folder, "sasldb");
    await writeFile(sasldb, gunzipSync(Buffer.from(SASLDB, "base64")));
    const configuration = ["mech_list: plain", "pwcheck_method: auxprop", "auxprop_plugin: sasldb"];
    await writeFile(join(folder, "memcached.conf"), [...configuration, `sasldb_path: ${sasldb}`, ""].join("\n"));
    return { env: { SASL_CONF_PATH: folder } };
  };
  return freshServer(["-S", ...args], { prepare });
}

/** One that wants a login by the authfile, which only meta has. */
export function authfileServer({ username, password }: { username: string; password: string }): Promise<Server> {
  const prepare = async (folder: string) => {
    await writeFile(join(folder, "users"), `${username}:${password}\n`);
    return { args: ["-Y", join(folder, "users")] };
  };
  return freshServer([], { prepare });
}

/** Why logins cannot be tried on this machine: `false` where they can. */
export async function withoutSasl(): Promise<string | false> {
  await using server = await saslServer().catch(() => undefined);
  if (server === undefined) return "this memcached was built without SASL";
  const mechanisms = await new Promise<string>((resolve, reject) => {
    const socket = connect(server.port, "127.0.0.1", () => {
      const list = new Uint8Array(24);
      list.set([0x80, 0x20]);
      socket.write(list);
    });
    socket.once("data", (bytes) => {
      socket.destroy();
      resolve(bytes.toString("latin1"));
    });
    socket.once("error", reject);
  });
  return !mechanisms.includes("PLAIN") && "its SASL library has no PLAIN: install libsasl2-modules";
}
