import { type Row, ratioOf, type Value } from './results.js';

/** One object a metric and peer, for programs; `ratio` says how many times better ours is. */
export interface Comparison {
  metric: string;
  ours: number;
  peer: number;
  peerName: string;
  ratio: number;
  unit: string;
}

export const comparisons = (rows: Row[], ours: string, peers: string[]): Comparison[] =>
  rows.flatMap((row) =>
    peers.flatMap((peerName) => {
      const ratio = ratioOf(row, ours, peerName);
      const [a, b] = [row.values.get(ours)?.p50, row.values.get(peerName)?.p50];
      if (ratio === undefined || a === undefined || b === undefined) return [];
      const { name: metric, unit } = row.metric;
      return [{ metric, ours: round(a), peer: round(b), peerName, ratio: round(ratio), unit }];
    }),
  );

/** For a terminal: a block of columns for each runtime. */
export const plainTable = (rows: Row[], ours: string, peers: string[]): string => {
  const { header, body } = cells(rows, ours, peers);
  const widths = header.map((_, i) => Math.max(...[header, ...body].map((line) => line[i]?.length ?? 0)));
  const show = (line: string[]) =>
    line.map((text, i) => (i === 0 ? text.padEnd(widths[0] ?? 0) : text.padStart(widths[i] ?? 0))).join('  ');
  const perPeer = 4;
  const blockWidth = (from: number, count: number) =>
    widths.slice(from, from + count).reduce((sum, width) => sum + width + 2, -2);
  const names = [
    ''.padEnd(widths[0] ?? 0),
    ours.padStart(blockWidth(1, perPeer - 1)),
    ...peers.map((peer, i) => peer.padStart(blockWidth(perPeer * (i + 1), perPeer))),
  ];
  return [names.join('  '), show(header), show(widths.map((width) => '-'.repeat(width))), ...body.map(show)].join('\n');
};

/** For a README. */
export const markdownTable = (rows: Row[], ours: string, peers: string[]): string => {
  const header = ['', `${ours} p50`, 'p99', 'CPU ms'];
  for (const peer of peers) header.push(`${peer} p50`, 'p99', 'CPU ms', 'ratio');
  const { body } = cells(rows, ours, peers);
  const line = (columns: string[]) => `| ${columns.join(' | ')} |`;
  const rule = header.map((_, i) => (i === 0 ? '---' : '---:'));
  return [header, rule, ...body].map(line).join('\n');
};

const cells = (rows: Row[], ours: string, peers: string[]): { header: string[]; body: string[][] } => {
  const header = ['', 'p50', 'p99', 'CPU ms', ...peers.flatMap(() => ['p50', 'p99', 'CPU ms', 'ratio'])];
  const body = rows.map((row) => [
    `${row.metric.name}, ${row.metric.unit}`,
    ...valueCells(row.values.get(ours)),
    ...peers.flatMap((peer) => [...valueCells(row.values.get(peer)), ratioCell(ratioOf(row, ours, peer))]),
  ]);
  return { header, body };
};

const valueCells = (value: Value | undefined): string[] =>
  [value?.p50, value?.p99, value?.cpuMs].map((number) => (number === undefined ? '' : show(number)));

const ratioCell = (ratio: number | undefined): string => (ratio === undefined ? '' : `${show(ratio)}x`);

/** Three significant digits are more than such a machine repeats. */
const round = (value: number): number => Number(value.toPrecision(3));
const show = (value: number): string => (value >= 1000 ? String(Math.round(value)) : String(round(value)));
