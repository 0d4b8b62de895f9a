/** The findings as one table, and its place in a document. Pure. */

/** What callers were given while the interrupted computation went on, and after it had ended. */
export interface Seen {
  readonly meanwhile: readonly string[];
  readonly afterwards: readonly string[];
}

/** How long a call took, in milliseconds; Infinity: it was given up. */
export interface Wait {
  readonly ms: number;
  readonly threw: boolean;
}

/** "none": it has no such thing. */
export type Found<T> = T | "none" | Error;

/** What one contender did. */
export interface Findings {
  readonly alone: Found<Seen>;
  readonly aloneByGroup: Found<Seen>;
  readonly shared: Found<Seen>;
  readonly sharedByGroup: Found<Seen>;
  /** Computations. */
  readonly cold: Found<number>;
  readonly stale: Found<number>;
  /** Calls one after the other, while the store hangs. */
  readonly hang: Found<readonly Wait[]>;
  /** The same, where a wait for the store is bounded by what the contender has for that. */
  readonly hangBounded: Found<readonly Wait[]>;
  /** What has become of a Date, a Map and a bigint. */
  readonly values: readonly Found<string>[];
}

/** A contender, and what it did, or why nothing could be seen of it. */
export interface Column {
  readonly name: string;
  readonly findings: Findings | Error;
}

const rows: readonly (readonly [title: string, cell: (findings: Findings) => string])[] = [
  ["invalidated while computed, one process", ({ alone }) => verdict(alone)],
  ["the same by group or tag", ({ aloneByGroup }) => verdict(aloneByGroup)],
  ["invalidated while computed, two processes", ({ shared }) => verdict(shared)],
  ["the same by group or tag", ({ sharedByGroup }) => verdict(sharedByGroup)],
  ["8 processes call a cold key: computed", ({ cold }) => plain(cold)],
  ["8 processes call a stale key: computed", ({ stale }) => plain(stale)],
  ["three calls while the store hangs", ({ hang }) => waits(hang)],
  ["the same, its waits bounded", ({ hangBounded }) => waits(hangBounded)],
  ["a `Date`", ({ values }) => plain(values[0]!)],
  ["a `Map`", ({ values }) => plain(values[1]!)],
  ["a `bigint`", ({ values }) => plain(values[2]!)],
];

/** Whether what was read before the invalidation was served after it. */
export function verdict(seen: Found<Seen>): string {
  if (seen === "none" || seen instanceof Error) return plain(seen);
  const strange = [...seen.meanwhile, ...seen.afterwards].find((text) => text !== "old" && text !== "new");
  if (strange !== undefined) return cellText(strange);
  if (seen.afterwards.includes("old")) return "old";
  return seen.meanwhile.includes("old") ? "old until computed" : "new";
}

/** "1.0 s, at once"; "throws after 1.0 s, at once"; "hangs". */
export function waits(calls: Found<readonly Wait[]>): string {
  if (calls === "none" || calls instanceof Error) return plain(calls);
  const texts: string[] = [];
  let threw = false;
  for (const call of calls) {
    const time = call.ms === Infinity ? "hangs" : call.ms < 250 ? "at once" : `${(call.ms / 1000).toFixed(1)} s`;
    const verb = call.threw === threw
      ? ""
      : call.threw
      ? (time === "at once" ? "throws " : "throws after ")
      : "answers ";
    texts.push(`${verb}${time}`);
    threw = call.threw;
  }
  return texts.join(", ");
}

function plain(result: Found<number | string>): string {
  return result instanceof Error ? `failed: ${cellText(result.message)}` : cellText(String(result));
}

/** A cell ends at a bar and at a line's end. */
function cellText(text: string): string {
  return text.replace(/\s+/g, " ").replaceAll("|", "\\|").slice(0, 80);
}

/** The cells, titles included. A column without findings says why in its first row. */
export function table(columns: readonly Column[]): string[][] {
  return [
    ["", ...columns.map(({ name }) => name)],
    ...rows.map(([title, cell], n) => [
      title,
      ...columns.map(({ findings }) => findings instanceof Error ? (n === 0 ? plain(findings) : "") : cell(findings)),
    ]),
  ];
}

/** As Markdown, aligned. */
export function markdown(cells: readonly (readonly string[])[]): string {
  const widths = cells[0]!.map((_, column) => Math.max(3, ...cells.map((row) => row[column]!.length)));
  const line = (row: readonly string[]) => `| ${row.map((cell, n) => cell.padEnd(widths[n]!)).join(" | ")} |`;
  const [head, ...body] = cells as [readonly string[], ...(readonly string[])[]];
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...body.map(line)].join("\n");
}

/** The names of the contenders that could not be looked at in full. */
export function failures(columns: readonly Column[]): string[] {
  return columns.filter(({ findings }) =>
    findings instanceof Error || Object.values(findings).flat().some((found) => found instanceof Error)
  ).map(({ name }) => name);
}

const START = "<!-- compare: between these lines stands what `deno task compare --write` has written -->";
const END = "<!-- /compare -->";

/** The document with that text between its two marks. */
export function withText(document: string, text: string): string {
  const [before, rest, ...more] = document.split(START);
  const after = rest?.split(END);
  if (after?.length !== 2 || more.length > 0) {
    throw new Error(`the document has to have, once each and in this order, the lines "${START}" and "${END}"`);
  }
  return `${before}${START}\n\n${text}\n\n${END}${after[1]}`;
}
