/** A process that reads lines and answers lines, and ends with the scope. */

import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";

export class Child implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #said: string[] = [];
  readonly #waiting: { resolve(line: string): void; reject(error: Error): void }[] = [];
  #ended = false;

  constructor(command: string, args: readonly string[]) {
    this.#child = spawn(command, [...args], { stdio: ["pipe", "pipe", "inherit"] });
    this.#child.once("error", (error) => this.#end(error));
    this.#child.once("exit", (code) => this.#end(new Error(`${args.at(-2)} ended with code ${code}`)));
    createInterface({ input: this.#child.stdout! }).on("line", (line) => {
      const waiting = this.#waiting.shift();
      if (waiting === undefined) this.#said.push(line);
      else waiting.resolve(line);
    });
  }

  /** The next line it says. */
  line(): Promise<string> {
    if (this.#said.length > 0) return Promise.resolve(this.#said.shift()!);
    if (this.#ended) return Promise.reject(new Error("the process has ended"));
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  ask(line: string): Promise<string> {
    this.#child.stdin!.write(`${line}\n`);
    return this.line();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#ended) return;
    const exit = new Promise((resolve) => this.#child.once("exit", resolve));
    this.#child.kill("SIGKILL");
    await exit;
  }

  #end(error: Error): void {
    this.#ended = true;
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }
}
