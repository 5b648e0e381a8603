import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { status } from '@grpc/grpc-js';
import { RuntimeError } from '../base/errors.js';
import { algorithm, dataLoss, type Digest, finish } from './digest.js';
import type { Answer } from './exchange.js';
import type { Descriptor } from './manifest.js';
import { printUrl } from './redirect.js';
import type { RetryPolicy } from './retry.js';
import { RegistryUnavailable, unreachable } from './unreachable.js';

/**
 * The body behind `open` from `offset` on, resumed with a range request each time the connection breaks. It gives up when as many attempts
 * as the policy allows bring nothing new, so a flaky line is survived and a dead one is not waited for.
 */
export async function* readBlob(
  open: (offset: number) => Promise<Answer>,
  descriptor: Descriptor,
  offset: number,
  what: string,
  retry: RetryPolicy,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  for (let fruitless = 0; offset < descriptor.size || offset === 0; ) {
    const before = offset;
    let cause: unknown;
    try {
      for await (const chunk of bodyFrom(await open(offset), offset, what)) {
        offset += chunk.length;
        if (offset > descriptor.size) throw dataLoss(`longer than the ${descriptor.size} bytes announced: ${what}`);
        yield chunk;
      }
      if (offset === descriptor.size) return;
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof RuntimeError) throw error;
      cause = error;
    }
    fruitless = offset > before ? 0 : fruitless + 1;
    if (fruitless >= retry.attempts)
      throw new RegistryUnavailable(
        status.UNAVAILABLE,
        `connection cut at ${offset} of ${descriptor.size} bytes: ${what}`,
        {
          cause,
        },
      );
    await sleep(retry.baseMs, undefined, { signal });
  }
}

/** A server without ranges starts again from the beginning: what we have is skipped. */
async function* bodyFrom(answer: Answer, offset: number, what: string): AsyncGenerator<Uint8Array> {
  let skip = answer.status === 206 ? 0 : offset;
  try {
    if (answer.status === 206 && rangeStart(answer) !== offset) throw dataLoss(`another range than asked for: ${what}`);
    for await (const chunk of answer.body as AsyncIterable<Buffer>) {
      if (skip >= chunk.length) skip -= chunk.length;
      else {
        yield skip > 0 ? chunk.subarray(skip) : chunk;
        skip = 0;
      }
    }
  } finally {
    answer.body.destroy();
  }
}

const rangeStart = ({ headers, url }: Answer): number => {
  const start = /^bytes (\d+)-/.exec(String(headers['content-range'] ?? ''))?.[1];
  if (start === undefined) throw unreachable(printUrl(url), url.host, new Error('no content-range'));
  return Number(start);
};

/** The bytes, and at their end an error when the digest is wrong. The unpacker does the same for sha256, off this thread. */
export const checkedBlob = (
  blob: AsyncIterable<Uint8Array>,
  digest: Digest,
  what: string,
): AsyncIterable<Uint8Array> => (algorithm(digest) === 'sha512' ? checkSha512(blob, digest, what) : blob);

async function* checkSha512(blob: AsyncIterable<Uint8Array>, digest: Digest, what: string): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha512');
  for await (const chunk of blob) {
    hash.update(chunk);
    yield chunk;
  }
  const actual = finish(hash, 'sha512');
  if (actual !== digest)
    throw dataLoss(`wrong digest: got ${actual} instead of ${digest}: ${what}; the registry or a proxy changed it`);
}
