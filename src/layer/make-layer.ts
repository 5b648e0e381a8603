import { createHash } from 'node:crypto';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { internal, resourceExhausted, RuntimeError } from '../base/errors.js';
import type { Slots } from '../base/slots.js';
import { type Layer, marksOf, recordOf } from './layer-record.js';
import type { RunWhole } from './run-whole.js';
import { type Limits, makeSeam, unpackLayer, type Unpacker } from './unpack.js';

/** A layer to be had, and where its bytes come from. */
export interface LayerSource {
  readonly diffId: string;
  /** Of the blob as it is transferred; unknown where only the diff ID vouches for it. */
  readonly blobDigest: string | undefined;
  /** Names the layer in messages. */
  readonly what: string;
  /** The registry that the bytes come from. */
  readonly from: string;
  /** Of the pull: how many layers it may have in work. Not of the store, where a registry that trickles would hold all of them. */
  readonly slots: Slots;
  /** So few bytes that all of them may be held at once. */
  readonly small: boolean;
  /** The blob's bytes; called when a slot is free. */
  readonly open: () => AsyncIterable<Uint8Array>;
}

const DIFF_ID = /^sha256:([0-9a-f]{64})$/;

/** Unpacks a layer into `directory`, which holds nothing but an empty "fs". */
export const makeLayer = async (
  { unpacker, runWhole }: { unpacker: Unpacker; runWhole?: RunWhole | undefined },
  directory: string,
  { diffId, blobDigest, what, small, open }: LayerSource,
  session: number,
  limits: Limits,
  signal: AbortSignal,
): Promise<Layer> => {
  const places = { target: join(directory, 'fs'), marks: marksOf(directory) };
  const unpacked = await unpackLayer(
    unpacker,
    places,
    { what, blob: open() },
    limits,
    signal,
    small ? runWhole : undefined,
  );
  // sha512 blobs are checked where they are read; the unpacker knows sha256.
  if (blobDigest?.startsWith('sha256:')) requireSame('digest', unpacked.digest, blobDigest, what);
  requireSame('diff ID', unpacked.diffId, diffId, what);
  const { size, entries, marks } = unpacked;
  if (marks === 0) await rm(places.marks, { force: true });
  return await record(directory, { version: 1, diffId, size, entries, marks, session });
};

/** Makes the seam of a stack of layers (docs/decisions/0018), named from the topmost down; undefined when it needs none. */
export const makeTopLayer = async (
  unpacker: Unpacker,
  directory: string,
  id: string,
  { names, volumes }: { names: readonly string[]; volumes: readonly string[] },
  session: number,
  signal: AbortSignal,
): Promise<Layer | undefined> => {
  const work = join(directory, 'work');
  await mkdir(work, { mode: 0o700 });
  const entries = await makeSeam(unpacker, dirname(directory), basename(directory), names, volumes, signal);
  if (entries === 0) return undefined;
  await rm(work, { recursive: true });
  return await record(directory, { version: 1, diffId: id, size: 0, entries, session });
};

/** Two stacks with the same seam ID have the same seam. No archive has this digest. */
export const seamId = (names: readonly string[], volumes: readonly string[]): string =>
  `sha256:${createHash('sha256')
    .update(JSON.stringify(['seam', names, volumes]))
    .digest('hex')}`;

/** Not brought to disk here: like the layer's files it is written behind the pull, and a torn one is no record (docs/decisions/0006). */
const record = async (directory: string, layer: Layer): Promise<Layer> => {
  await writeFile(recordOf(directory), JSON.stringify(layer), { mode: 0o600 });
  return layer;
};

/** Only a checked digest becomes part of a path (CVE-2020-10696). */
export const hexOf = (diffId: string): string => {
  const hex = DIFF_ID.exec(diffId)?.[1];
  if (hex === undefined) throw internal(`not a sha256 diff ID: ${JSON.stringify(diffId.slice(0, 100))}`);
  return hex;
};

/** Layers fill the disk, and which write finds it full is chance: the message is the same for all. */
export const named = (error: unknown, what: string): unknown =>
  ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '')
    ? resourceExhausted(`No space left on device: ${what}`, error)
    : error;

const requireSame = (of: string, actual: string, expected: string, what: string): void => {
  if (actual === expected) return;
  throw new RuntimeError(
    status.DATA_LOSS,
    `wrong ${of}: got ${actual} instead of ${expected}: ${what}; it was changed on its way here`,
  );
};
