/** More processes of the same service: the file that runs, started again with the runtime that runs it. */
import { type ChildProcess, spawn } from "node:child_process";
import process from "node:process";
import { fileURLToPath } from "node:url";

export interface Member {
  /** The URL it serves on. */
  readonly url: string;
  /** It stops when its standard input ends, so it never outlives whoever started it. */
  stop(): Promise<void>;
}

/**
 * Starts `file` as another process with these arguments; resolves when it has printed the URL it serves on. `hosts`: what
 * it may reach beside its own server.
 */
export function startMember(file: URL, args: readonly string[], hosts: readonly string[]): Promise<Member> {
  const path = fileURLToPath(file);
  const folder = fileURLToPath(new URL(".", file));
  const deno = [
    "run",
    "--no-prompt",
    `--allow-net=${["127.0.0.1", ...hosts].join()}`,
    `--allow-read=${folder}`,
    `--allow-write=${folder}.demo`,
  ];
  const command = "Deno" in globalThis ? [...deno, path, ...args] : [path, ...args];
  // An empty environment: in Deno, passing ours on would need the permission to read all of it.
  const child = spawn(process.execPath, command, { env: {}, stdio: ["pipe", "pipe", "inherit"] });
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`Cannot start a service: its process ended with code ${code}`)));
    let text = "";
    child.stdout!.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
      const url = /^(http:.*)\n/.exec(text)?.[1];
      if (url !== undefined) resolve({ url, stop: () => stop(child) });
    });
  });
}

function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once("exit", () => resolve());
    child.stdin!.end();
  });
}

/** Resolves when the process that started this one lets go of our standard input. */
export function untilLetGo(): Promise<void> {
  return new Promise((resolve) => process.stdin.once("end", resolve).once("close", resolve).resume());
}
