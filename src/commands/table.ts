/** Rows under their headers, columns as wide as their widest cell, one line each. What a row ends without takes no room. */
export const table = (headers: readonly string[], rows: ReadonlyArray<readonly string[]>): string => {
  const lines = [headers, ...rows];
  const widths = headers.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const show = (line: readonly string[]): string =>
    line
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  return lines.map((line) => `${show(line)}\n`).join('');
};
