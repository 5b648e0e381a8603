import { failedPrecondition } from '../base/errors.js';
import { VERSION } from '../version.js';
import type { JournalEntry } from './journal-entry.js';

/** It goes up with what an older daemon would misread; what that one does not know and keeps, such as another field, is no reason. */
const FORMAT = 1;
const KIND = 'journal';

interface Format {
  readonly format: number;
  /** Version of the daemon that wrote it. */
  readonly writer: string;
}

/**
 * The first entry of every journal: daemons of all formats frame and encode it as format 1 does. Those from before there was a format take it
 * for an object of a kind that nobody asks for, and keep it.
 */
export const formatEntry = (): JournalEntry => ({
  kind: KIND,
  id: 'format',
  value: { format: FORMAT, writer: VERSION } satisfies Format,
});

export const isFormat = ({ kind }: JournalEntry): boolean => kind === KIND;

/** @throws FAILED_PRECONDITION for what another daemon would read: taken for an empty journal it would cost every pod. */
export const requireReadable = (path: string, data: Buffer, entries: readonly JournalEntry[]): void => {
  const [first] = entries;
  if (!first && data.some((byte) => byte !== 0))
    throw failedPrecondition(
      `not a journal that jangada ${VERSION} knows, or damaged at its beginning: ${path}; start the version that wrote it, or remove the file: all pods are ended then`,
    );
  if (!first || !isFormat(first)) return;
  const { format, writer } = first.value as Format;
  if (format > FORMAT)
    throw failedPrecondition(
      `of format ${format}, written by jangada ${writer}, and this is ${VERSION}, which knows ${FORMAT}: ${path}; start that version or a newer one, or remove the file: all pods are ended then`,
    );
};
