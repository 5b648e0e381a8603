import { type FileProblem, ScannedDirectories } from '../scanned-directories.js';
import type { LoadedFile } from './index-devices.js';
import { parseSpecFile } from './parse.js';
import type { SpecFile } from './spec-file.js';

export interface ScannedSpecs {
  readonly files: readonly LoadedFile[];
  readonly problems: readonly FileProblem[];
}

/** The files of the CDI directories. */
export class SpecDirectories {
  readonly #files: ScannedDirectories<SpecFile>;

  constructor(readonly directories: readonly string[]) {
    this.#files = new ScannedDirectories(directories, {
      what: 'CDI files',
      extensions: ['.json', '.yaml'],
      parse: (text, extension) => parseSpecFile(text, extension === '.yaml' ? 'yaml' : 'json'),
    });
  }

  async scan(): Promise<ScannedSpecs> {
    const { files, problems } = await this.#files.scan();
    return { files: files.map(({ path, priority, content }) => ({ path, priority, spec: content })), problems };
  }
}
