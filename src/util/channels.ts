/** The part of a diagnostics channel that we use. */
export interface Channel {
  readonly hasSubscribers: boolean;
  publish(message: unknown): void;
}
type Open = (name: string) => Channel;

let opened: Open | undefined;
let loading: Promise<void> | undefined;

/**
 * Loads the runtime's diagnostics channels, once. Imported at the top they would cost every program 4 ms in Deno, also
 * the one that only imports us; `builtin()` would cost 14-19.
 */
export function loadChannels(): Promise<void> {
  return loading ??= import("node:diagnostics_channel").then(({ channel }) => void (opened = channel), () => {
    opened = () => ({ hasSubscribers: false, publish() {} }); // a runtime without them has no subscriber either
  });
}

/** How to open a channel; `undefined` until `loadChannels()` has settled. */
export const openChannel = (): Open | undefined => opened;
