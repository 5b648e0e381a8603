import { createHash, type Hash } from 'node:crypto';
import { RuntimeError } from '../base/errors.js';
import { status } from '@grpc/grpc-js';

declare const parsed: unique symbol;

/** `sha256:` with 64 or `sha512:` with 128 lower-case hexadecimal digits, checked once: safe in a URL and a file name (CVE-2024-3727). */
export type Digest = string & { readonly [parsed]: true };

const GRAMMAR = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;

/** Content that is not what it claims to be: nothing of it is used. */
export const dataLoss = (message: string, cause?: unknown) => new RuntimeError(status.DATA_LOSS, message, { cause });

export const isDigest = (value: unknown): value is Digest => typeof value === 'string' && GRAMMAR.test(value);

/** @throws DATA_LOSS when it is none; `what` names whose digest it is. */
export const parseDigest = (value: unknown, what: string): Digest => {
  if (isDigest(value)) return value;
  throw dataLoss(`malformed digest: ${quote(value)} of ${what}; only sha256 and sha512 in lower case are digests`);
};

export const algorithm = (digest: Digest): 'sha256' | 'sha512' => (digest.startsWith('sha256:') ? 'sha256' : 'sha512');

export const digestOf = (bytes: Uint8Array, name: 'sha256' | 'sha512' = 'sha256'): Digest =>
  finish(createHash(name).update(bytes), name);

/** The digest that `hash` has arrived at. */
export const finish = (hash: Hash, name: 'sha256' | 'sha512'): Digest => `${name}:${hash.digest('hex')}` as Digest;

/** What strangers wrote, short and free of control characters, for a message. */
export const quote = (value: unknown): string => {
  const text = typeof value === 'string' ? value : typeof value;
  return JSON.stringify(text.length > 120 ? `${text.slice(0, 120)}…` : text);
};
