/** A command run to its end, with all that it prints. */

/** How a command ended: its exit code, and all it printed, in the order in which it came. */
export interface Ended {
  readonly code: number;
  readonly output: string;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly env?: Record<string, string>;
  /** Pass on what it prints, as it prints it. */
  readonly show?: boolean;
  /** A command that takes longer is killed, with all it started, and counts as failed. */
  readonly minutes?: number;
}

/** Runs a command to its end. One that is not there ends with code 127, as in a shell. */
export async function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  const { cwd, env, show = false, minutes = 10 } = options;
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command(command, {
      args: [...args],
      // A group of its own, so that what it starts ends with it.
      detached: true,
      ...(cwd === undefined ? {} : { cwd }),
      ...(env === undefined ? {} : { env }),
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
  } catch (error) {
    return { code: 127, output: String(error) };
  }
  let output = "";
  const listen = async (from: ReadableStream<Uint8Array>, to: { writeSync(bytes: Uint8Array): number }) => {
    const decoder = new TextDecoder();
    for await (const bytes of from) {
      output += decoder.decode(bytes, { stream: true });
      if (show) writeAll(to, bytes);
    }
  };
  let overdue = false;
  const kill = () => {
    try {
      Deno.kill(Deno.build.os === "windows" ? child.pid : -child.pid, "SIGKILL");
    } catch {
      // It has just ended.
    }
  };
  const timer = setTimeout(() => {
    overdue = true;
    kill();
  }, minutes * 60_000);
  // A Ctrl-C goes to the terminal's group, and the command has one of its own.
  const interrupted = () => {
    kill();
    Deno.exit(130);
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, interrupted);
  const [status] = await Promise.all([
    child.status,
    listen(child.stdout, Deno.stdout),
    listen(child.stderr, Deno.stderr),
  ]);
  clearTimeout(timer);
  for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.removeSignalListener(signal, interrupted);
  if (!overdue) return { code: status.code, output };
  const remark = `\n${command} ${args[0] ?? ""} was killed: it took longer than ${minutes} minutes\n`;
  if (show) writeAll(Deno.stderr, new TextEncoder().encode(remark));
  return { code: 124, output: output + remark };
}

function writeAll(to: { writeSync(bytes: Uint8Array): number }, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += to.writeSync(bytes.subarray(at));
}
