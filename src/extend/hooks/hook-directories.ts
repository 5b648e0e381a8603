import { basename } from 'node:path';
import type { Logger } from 'pino';
import type { OciSpec } from '../../oci/spec.js';
import type { Adjuster, Subject } from '../adjust.js';
import type { OwnedAdjustment } from '../adjustment.js';
import { ScannedDirectories, type ScannedFile } from '../scanned-directories.js';
import { ToldOnce } from '../told-once.js';
import { type HookFile, hooksOfFile, parseHookFile } from './hook-file.js';
import { matches } from './matches.js';

/** Hooks that files in directories name for containers of a kind: oci-hooks(5), as CRI-O and podman have them. */
export class HookDirectories implements Adjuster {
  readonly #files: ScannedDirectories<HookFile>;
  readonly #told: ToldOnce;

  constructor(directories: readonly string[], log: Pick<Logger, 'warn'>) {
    this.#files = new ScannedDirectories(directories, {
      what: 'hook files',
      extensions: ['.json'],
      parse: (text) => parseHookFile(text),
    });
    this.#told = new ToldOnce('hook file left out', log);
  }

  async adjust(
    spec: Readonly<OciSpec>,
    { config, sandbox }: Pick<Subject, 'config' | 'sandbox'>,
  ): Promise<readonly OwnedAdjustment[]> {
    if (this.#files.directories.length === 0) return [];
    const { files, problems } = await this.#files.scan();
    this.#told.tell(problems);
    const chosen = {
      command: spec.process.args[0] ?? '',
      annotations: { ...spec.annotations, ...sandbox.config.annotations, ...config.annotations },
      hasBindMounts: config.mounts.length > 0,
    };
    return inOrder(files)
      .filter(({ content }) => matches(content.when, chosen))
      .map(({ path, content }) => ({ owner: `hook file ${path}`, adjustment: { hooks: hooksOfFile(content) } }));
  }
}

/** Of two files of one name that in the later directory counts; they come in the order of their names, whatever the case. */
const inOrder = (files: ReadonlyArray<ScannedFile<HookFile>>): Array<ScannedFile<HookFile>> => {
  const byName = new Map(files.map((file) => [basename(file.path), file]));
  return [...byName]
    .map(([name, file]) => ({ key: name.toLowerCase(), file }))
    .toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
    .map(({ file }) => file);
};
