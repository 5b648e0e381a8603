/** Narrower columns say nothing any more. */
const NARROWEST = 8;

/**
 * Rows under their headers, columns as wide as their widest cell, one line each. What a row ends without takes no room. On a terminal
 * (`width`) the widest columns are cut until a line fits.
 */
export const table = (
  headers: readonly string[],
  rows: ReadonlyArray<readonly string[]>,
  width = process.stdout.isTTY ? process.stdout.columns : Number.POSITIVE_INFINITY,
): string => {
  const lines = [headers, ...rows];
  const widths = fitted(
    headers.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0))),
    width - 2 * (headers.length - 1),
  );
  const show = (line: readonly string[]): string =>
    line
      .map((cell, column) => cut(cell, widths[column] ?? 0).padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  return lines.map((line) => `${show(line)}\n`).join('');
};

const cut = (cell: string, width: number): string => (cell.length > width ? `${cell.slice(0, width - 1)}…` : cell);

const fitted = (widths: readonly number[], most: number): number[] => {
  const fit = [...widths];
  for (let excess = fit.reduce((sum, one) => sum + one, 0) - most; excess > 0; ) {
    const widest = Math.max(...fit);
    if (widest <= NARROWEST) break;
    const next = Math.max(NARROWEST, ...fit.filter((one) => one < widest));
    const columns = fit.filter((one) => one === widest).length;
    const take = Math.max(1, Math.min(widest - next, Math.ceil(excess / columns)));
    for (const [column, one] of fit.entries()) if (one === widest) fit[column] = one - take;
    excess -= take * columns;
  }
  return fit;
};
