import type { Logger } from 'pino';
import { failedPrecondition, notFound } from '../../base/errors.js';
import type { OciSpec } from '../../oci/spec.js';
import type { Adjuster, Subject } from '../adjust.js';
import type { OwnedAdjustment } from '../adjustment.js';
import type { FileProblem } from '../scanned-directories.js';
import { ToldOnce } from '../told-once.js';
import { editsToAdjustment, type FileEdits } from './edits.js';
import { type CdiDevice, type DeviceIndex, indexDevices, isConflict, type LoadedFile } from './index-devices.js';
import { kindOf } from './names.js';
import { requestedDevices } from './requested.js';
import { type ScannedSpecs, SpecDirectories } from './spec-directories.js';

/** What the CDI directories hold, for people. */
export interface CdiReport {
  readonly directories: readonly string[];
  readonly files: ReadonlyArray<{ readonly path: string; readonly kind: string; readonly devices: number }>;
  readonly problems: readonly FileProblem[];
}

/** Devices of the Container Device Interface, which vendors describe in files. */
export class CdiDevices implements Adjuster {
  readonly #directories: SpecDirectories;
  readonly #told: ToldOnce;

  constructor(directories: readonly string[], log: Pick<Logger, 'warn'>) {
    this.#directories = new SpecDirectories(directories);
    this.#told = new ToldOnce('CDI file left out', log);
  }

  async adjust(spec: Readonly<OciSpec>, { config }: Pick<Subject, 'config'>): Promise<readonly OwnedAdjustment[]> {
    const names = requestedDevices(config);
    return names.length === 0 ? [] : [await this.resolve(names, spec)];
  }

  /**
   * What devices stand for, by their fully qualified names.
   * @throws NOT_FOUND for a device that no file describes, FAILED_PRECONDITION for one that two do.
   */
  async resolve(names: readonly string[], spec: OciSpec): Promise<OwnedAdjustment> {
    const scanned = await this.#scan();
    const index = indexDevices(scanned.files);
    const devices = names.map((name) => this.#require(name, index, scanned));
    const files = [...new Set(devices.map(({ file }) => file))];
    const owner = `CDI file ${files.map(({ path }) => path).join(' and ')}`;
    return { owner, adjustment: await editsToAdjustment(withFileEdits(devices), spec) };
  }

  async report(): Promise<CdiReport> {
    const { files, problems } = await this.#scan();
    const conflicts = [...indexDevices(files)].flatMap(([name, entry]) =>
      isConflict(entry) ? entry.map((path) => ({ path, message: conflict(name, entry) })) : [],
    );
    return {
      directories: this.#directories.directories,
      files: files.map(({ path, spec }) => ({ path, kind: spec.kind, devices: spec.devices.length })),
      problems: [...problems, ...conflicts],
    };
  }

  async #scan(): Promise<ScannedSpecs> {
    const scanned = await this.#directories.scan();
    this.#told.tell(scanned.problems);
    return scanned;
  }

  #require(name: string, index: DeviceIndex, { files, problems }: ScannedSpecs): CdiDevice {
    const entry = index.get(name);
    if (!entry) throw notFound(`unknown CDI device: ${name}; ${this.#lookedIn(name, files, problems)}`);
    if (isConflict(entry)) throw failedPrecondition(conflict(name, entry));
    return entry;
  }

  #lookedIn(name: string, files: readonly LoadedFile[], problems: readonly FileProblem[]): string {
    const { directories } = this.#directories;
    if (directories.length === 0) return 'spec_dirs of [cdi] in the configuration is empty';
    const ofKind = files.filter(({ spec }) => spec.kind === kindOf(name)).map(({ path }) => path);
    return [
      `looked in ${ofKind.length > 0 ? some(ofKind) : directories.join(', ')}`,
      ...(problems.length > 0 ? [`left out: ${some(problems.map(({ path, message }) => `${path}: ${message}`))}`] : []),
    ].join('; ');
  }
}

/** What goes for a file as a whole comes once, before the first of its devices. */
const withFileEdits = (devices: readonly CdiDevice[]): FileEdits[] => {
  const seen = new Set<LoadedFile>();
  return devices.flatMap(({ file, edits }) => {
    const ofFile = seen.has(file) || !file.spec.containerEdits ? [] : [file.spec.containerEdits];
    seen.add(file);
    return [...ofFile, edits].map((one) => ({ file: file.path, edits: one }));
  });
};

const conflict = (name: string, paths: readonly string[]): string =>
  `two files describe one device: ${name} in ${paths.join(' and ')}; remove it from all but one`;

const SHOWN = 5;
const some = (texts: readonly string[]): string =>
  texts.length <= SHOWN ? texts.join(', ') : `${texts.slice(0, SHOWN).join(', ')} and ${texts.length - SHOWN} more`;
