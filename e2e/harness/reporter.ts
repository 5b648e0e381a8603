import { writeFileSync } from 'node:fs';
import { relative } from 'node:path';
import type { TestEvent } from 'node:test/reporters';

/** Reporter of `node --test`: one line a file, failures in full; leaves "passed failed" in $RESULTS. */
export default async function* report(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const checks = new Map<string, { passed: number; failed: number }>();
  const output = new Map<string, string>();
  const names = new Map<string, string[]>();
  const countOf = (file: string) => checks.get(file) ?? checks.set(file, { passed: 0, failed: 0 }).get(file)!;
  for await (const { type, data } of events as AsyncIterable<{ type: string; data: Event }>) {
    const { file = '', name = '', nesting = 0 } = data;
    const whole = name === file;
    if (type === 'test:stdout' || type === 'test:stderr') output.set(file, (output.get(file) ?? '') + data.message);
    if (type === 'test:start') names.set(file, [...(names.get(file) ?? []).slice(0, nesting), name]);
    // A suite fails when one of its checks does, and that one is counted.
    const isSuite = data.details?.type === 'suite';
    if (type === 'test:pass' && !isSuite && !whole) countOf(file).passed++;
    if (type === 'test:fail' && !isSuite) {
      countOf(file).failed++;
      yield `\nnot ok ${shorten(file)}: ${whole ? 'ended early' : (names.get(file) ?? [name]).join(' > ')}\n`;
      yield indent(whole ? (output.get(file) ?? '') : (data.details?.error?.message ?? ''));
    }
    if (type === 'test:complete' && whole) {
      const { passed, failed } = countOf(file);
      const seconds = ((data.details?.duration_ms ?? 0) / 1000).toFixed(1);
      yield `${failed === 0 ? 'ok    ' : 'not ok'} ${shorten(file)} (${passed} passed, ${failed} failed, ${seconds} s)\n`;
    }
  }
  const total = [...checks.values()].reduce(
    (sum, { passed, failed }) => ({ passed: sum.passed + passed, failed: sum.failed + failed }),
    { passed: 0, failed: 0 },
  );
  if (process.env['RESULTS']) writeFileSync(process.env['RESULTS'], `${total.passed} ${total.failed}\n`);
  yield `${total.passed} passed, ${total.failed} failed\n`;
}

/** What these events have in common; node's own types differ by event and lag behind. */
interface Event {
  file?: string;
  name?: string;
  nesting?: number;
  message?: string;
  details?: { type?: string; duration_ms?: number; error?: Error };
}

const shorten = (file: string): string => relative('build', file).replace(/\.test\.js$/, '');
const indent = (text: string): string => `${text.trimEnd().replaceAll(/^/gm, '    ')}\n`;
