import { MAX_DEPTH } from "./walk.ts";

/** Throws for JSON data that is nested deeper than any value that can be kept. */
export function assertDepth(json: unknown): void {
  descend(json, 0);
}

function descend(json: unknown, depth: number): void {
  if (typeof json !== "object" || json === null) return;
  if (depth >= MAX_DEPTH) throw new RangeError(`nested deeper than ${MAX_DEPTH} levels`);
  if (Array.isArray(json)) {
    for (let i = 0; i < json.length; i++) if (typeof json[i] === "object") descend(json[i], depth + 1);
  } else {
    for (const key in json) {
      const part = (json as Record<string, unknown>)[key];
      if (typeof part === "object") descend(part, depth + 1);
    }
  }
}
