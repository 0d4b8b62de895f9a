/** The meta protocol: text, and what memcached's own proxy and hosted servers speak. */

import { NumberedWire } from "../numbered.ts";
import type { OpenWire } from "../wire.ts";
import { ReplyReader } from "./read.ts";
import { rewrite, room, write } from "./write.ts";

const writer = { room, write, rewrite };

/** One connection's lines. */
export class MetaWire extends NumberedWire {
  readonly speaks = "meta";

  constructor(longestValueBytes: number, firstOpaque = 1) {
    super(writer, new ReplyReader(longestValueBytes), firstOpaque);
  }
}

/** A meta wire for a new connection. */
export const openMetaWire: OpenWire = (longestValueBytes) => new MetaWire(longestValueBytes);
