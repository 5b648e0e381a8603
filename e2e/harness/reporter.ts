import { writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import type { TestEvent } from 'node:test/reporters';
import { stripVTControlCharacters } from 'node:util';

/** Reporter of `node --test`: failures in full and one line a file; leaves "passed failed" in $RESULTS. */
export default async function* report(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const total = { passed: 0, failed: 0 };
  const seconds = new Map<string, string>();
  let file = newFile('');
  for await (const { type, data } of events as AsyncIterable<{ type: string; data: Event }>) {
    if (type === 'test:complete')
      seconds.set(data.file ?? '', `${((data.details?.duration_ms ?? 0) / 1000).toFixed(1)} s`);
    if (!IN_ORDER.has(type)) continue;
    // These come file by file; a failure may name a file of the harness, or of a package, where it was noticed.
    if (data.file?.endsWith('.test.js') && data.file !== file.path) {
      yield finish(file, total, seconds);
      file = newFile(data.file);
    }
    yield note(file, type, data);
  }
  yield finish(file, total, seconds);
  if (process.env['RESULTS']) writeFileSync(process.env['RESULTS'], `${total.passed} ${total.failed}\n`);
  yield `${total.passed} passed, ${total.failed} failed\n`;
}

const IN_ORDER = new Set(['test:start', 'test:pass', 'test:fail', 'test:stdout', 'test:stderr']);

const finish = (
  file: TestFile,
  total: { passed: number; failed: number },
  seconds: ReadonlyMap<string, string>,
): string => {
  if (file.path === '') return '';
  const empty = file.passed + file.failed === 0 ? `\nnot ok ${file.name}: ran no check\n${indent(file.output)}` : '';
  if (empty) file.failed++;
  total.passed += file.passed;
  total.failed += file.failed;
  const counts = [`${file.passed} passed`, `${file.failed} failed`, seconds.get(file.path) ?? '']
    .filter(Boolean)
    .join(', ');
  return `${empty}${file.failed === 0 ? 'ok    ' : 'not ok'} ${file.name} (${counts})\n`;
};

/** What these events have in common; node's own types differ by event and lag behind. */
interface Event {
  file?: string;
  name?: string;
  nesting?: number;
  message?: string;
  details?: { type?: string; duration_ms?: number; error?: Error };
}

interface TestFile {
  path: string;
  name: string;
  passed: number;
  failed: number;
  output: string;
  /** Names of the tests around the current one. */
  at: string[];
}

const newFile = (path: string): TestFile => ({
  path,
  name: relative('build', path).replace(/\.test\.js$/, ''),
  passed: 0,
  failed: 0,
  output: '',
  at: [],
});

/** Counts one event; answers what is to be shown of it. */
const note = (file: TestFile, type: string, { name = '', nesting = 0, message = '', details }: Event): string => {
  if (type === 'test:stdout' || type === 'test:stderr') file.output += message;
  if (type === 'test:start') file.at = [...file.at.slice(0, nesting), name];
  // A suite fails when one of its checks does, and that one is counted.
  if (details?.type === 'suite' || (type !== 'test:pass' && type !== 'test:fail')) return '';
  const isWhole = name === file.path;
  if (type === 'test:pass') {
    if (!isWhole) file.passed++;
    return '';
  }
  file.failed++;
  const where = isWhole ? 'ended early' : file.at.join(' > ');
  return `\nnot ok ${file.name}: ${where}\n${indent(isWhole ? file.output : explain(details?.error))}`;
};

const explain = (error: Error | undefined): string => {
  const cause = (error?.cause ?? error) as (Error & { code?: unknown; details?: unknown }) | undefined;
  const fields = [cause?.code, cause?.details].filter((value) => value !== undefined).map(String);
  return `${fields.join(' ')}\n${stripVTControlCharacters(cause?.stack ?? String(cause))}`.trim();
};

const indent = (text: string): string => `${text.trimEnd().replaceAll(/^/gm, '    ')}\n`;
