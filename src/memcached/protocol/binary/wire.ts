/** The binary protocol. */

import { NumberedWire } from "../numbered.ts";
import type { OpenWire } from "../wire.ts";
import { FrameReader } from "./read.ts";
import { rewrite, room, write } from "./write.ts";

const writer = { room, write, rewrite };

/** One connection's frames. */
export class BinaryWire extends NumberedWire {
  readonly speaks = "binary";

  constructor(longestValueBytes: number, firstOpaque = 1) {
    super(writer, new FrameReader(longestValueBytes), firstOpaque);
  }
}

/** A binary wire for a new connection. */
export const openBinaryWire: OpenWire = (longestValueBytes) => new BinaryWire(longestValueBytes);
