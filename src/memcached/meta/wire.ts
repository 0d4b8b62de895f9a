/** The meta protocol: text, and what memcached's own proxy and hosted servers speak. */

import { NumberedWire } from "../numbered.ts";
import type { OpenWire } from "../wire.ts";
import { ReplyReader } from "./read.ts";
import { rewrite, room, write } from "./write.ts";

const writer = { room, write, rewrite };

/** One connection's lines. */
export class MetaWire extends NumberedWire {
  constructor(maxBodyBytes: number, firstOpaque = 1) {
    super(writer, new ReplyReader(maxBodyBytes), firstOpaque);
  }
}

/** A meta wire for a new connection. */
export const openMetaWire: OpenWire = (maxBodyBytes) => new MetaWire(maxBodyBytes);
