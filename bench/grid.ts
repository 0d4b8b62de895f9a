/** A table whose columns differ from case to case: named columns, and a row of figures or words for each name. */

export interface Grid {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly { readonly name: string; readonly cells: readonly Cell[] }[];
  /** What has to be known to read it. */
  readonly notes?: readonly string[];
}

export type Cell = number | string;

/** A grid as text. */
export function printGrid({ title, columns, rows, notes = [] }: Grid): string {
  const lines = [["", ...columns], ...rows.map(({ name, cells }) => [name, ...cells.map(text)])];
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? "").length)));
  const body = lines.map((line) =>
    line.map((cell, column) => column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)).join("   ")
  );
  return [title, ...body.map((line) => `  ${line}`.trimEnd()), ...notes.map((note) => `  * ${note}`), ""].join("\n");
}

/** Three digits that count, and all of them before the point. */
export function text(cell: Cell): string {
  if (typeof cell === "string") return cell;
  const size = Math.abs(cell);
  const digits = size >= 100 || Number.isInteger(cell) ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;
  return cell.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
