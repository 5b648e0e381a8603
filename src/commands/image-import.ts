import { createReadStream } from 'node:fs';
import { basename } from 'node:path';
import type { Config } from '../base/config.js';
import { control } from './control.js';
import { imageTable, type Shown } from './image-rows.js';

interface Imported {
  readonly images: readonly Shown[];
  readonly failures: ReadonlyArray<{ readonly name: string; readonly message: string }>;
}

/** Resolves to the exit status: 1 when an image of the archive could not be had. */
export const runImageImport = async (
  config: Pick<Config, 'control'>,
  file: string,
  pin: boolean,
  output: 'table' | 'json',
): Promise<number> => {
  const source = file === '-' ? process.stdin : createReadStream(file);
  const query = new URLSearchParams({ name: file === '-' ? 'standard input' : basename(file), pin: String(pin) });
  const imported = await control<Imported>(config, `/v1/images/import?${query.toString()}`, source);
  if (output === 'json') process.stdout.write(`${JSON.stringify(imported, null, 2)}\n`);
  else {
    process.stdout.write(imageTable(imported.images));
    for (const { name, message } of imported.failures) process.stderr.write(`jangada: ${name}: ${message}\n`);
  }
  return imported.failures.length === 0 ? 0 : 1;
};
