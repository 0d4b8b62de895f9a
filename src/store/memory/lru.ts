/** A node of an Lru, linked to its neighbours in the order of use. */
export class LruNode {
  readonly key: string;
  /** What it costs to keep, key and bookkeeping included. */
  readonly bytes: number;
  older: LruNode = this;
  newer: LruNode = this;

  constructor(key: string, bytes: number) {
    this.key = key;
    this.bytes = bytes;
  }
}

/**
 * A map that forgets what was used longest ago, bounded by bytes and by count. A ring through `#ends`: its `older`
 * neighbour is the newest node, its `newer` one the oldest. Relinking is several times cheaper than the usual
 * delete-and-set-again on the map.
 */
export class Lru<N extends LruNode> {
  readonly #nodes = new Map<string, N>();
  readonly #ends = new LruNode("", 0);
  readonly #maxBytes: number;
  readonly #maxEntries: number;
  #bytes = 0;
  #evictions = 0;

  constructor(maxBytes: number, maxEntries: number) {
    this.#maxBytes = maxBytes;
    this.#maxEntries = maxEntries;
  }

  /** What all nodes cost. */
  get bytes(): number {
    return this.#bytes;
  }

  /** How many were dropped since a bound was reached. */
  get evictions(): number {
    return this.#evictions;
  }

  get size(): number {
    return this.#nodes.size;
  }

  /** Reads a node and counts that as its use. */
  use(key: string): N | undefined {
    const node = this.#nodes.get(key);
    if (node !== undefined && this.#ends.older !== node) {
      unlink(node);
      this.#linkNewest(node);
    }
    return node;
  }

  /** Reads a node without using it. */
  peek(key: string): N | undefined {
    return this.#nodes.get(key);
  }

  /** Keeps a node in the place of the one under its key, and drops the oldest until the bounds hold. One larger than `maxBytes` must not come here. */
  put(node: N): void {
    const former = this.#nodes.get(node.key);
    if (former !== undefined) this.#forget(former);
    this.#nodes.set(node.key, node);
    this.#linkNewest(node);
    this.#bytes += node.bytes;
    while (this.#bytes > this.#maxBytes || this.#nodes.size > this.#maxEntries) {
      this.delete(this.#ends.newer as N);
      this.#evictions++;
    }
  }

  delete(node: N): void {
    this.#nodes.delete(node.key);
    this.#forget(node);
  }

  clear(): void {
    this.#nodes.clear();
    this.#ends.older = this.#ends.newer = this.#ends;
    this.#bytes = 0;
  }

  #forget(node: N): void {
    unlink(node);
    this.#bytes -= node.bytes;
  }

  #linkNewest(node: LruNode): void {
    const ends = this.#ends;
    node.older = ends.older;
    node.newer = ends;
    ends.older.newer = node;
    ends.older = node;
  }
}

/** A node that left keeps no neighbour alive: someone may hold it as a token. */
function unlink(node: LruNode): void {
  node.older.newer = node.newer;
  node.newer.older = node.older;
  node.older = node.newer = node;
}
