/** Why a process ended: its code, and the last of what it said on stderr. */

import type { ChildProcess } from "node:child_process";

/** The end of stderr is where a runtime says what was wrong; a stack's length of it will do. */
const MOST_CHARS = 4000;

/** Listens to a process that was started with a pipe for its stderr. */
export class LastWords {
  /** Resolves when it has ended and all it said has come, with one text that has both. */
  readonly ended: Promise<string>;
  #said = "";

  constructor(name: string, child: ChildProcess) {
    child.stderr!.setEncoding("utf8").on("data", (text: string) => this.#said = (this.#said + text).slice(-MOST_CHARS));
    this.ended = new Promise((resolve) => {
      child.once("error", (error) => resolve(`${name} does not start: ${error.message}`));
      child.once("close", (code, signal) => {
        const how = signal === null ? `with code ${code}` : `by ${signal}`;
        resolve(`${name} ended ${how}${this.#said.trim() === "" ? ", and said nothing" : `:\n${this.#said.trim()}`}`);
      });
    });
  }
}
