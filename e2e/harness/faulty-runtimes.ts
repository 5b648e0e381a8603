import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';

/** What a runtime may do wrong, each a script in front of a real one. */
const FAULTS = {
  /** Cannot tell what it can do. */
  featureless: 'case $1 in features) exit 1;; --version) echo featureless 0.1; exit 0;; esac',
  'hangs-at-create': 'case " $* " in *" create "*) exec sleep 1000;; esac',
  'hangs-at-delete': 'case " $* " in *" delete "*) exec sleep 1000;; esac',
  /** Claims to have made a process, and names one that is somebody else's. */
  lies: 'case " $* " in *" create "*) while [ "$1" != --pid-file ]; do shift; done; echo $PPID > "$2"; exit 0;; esac',
  mute: 'case " $* " in *" create "*) exit 3;; esac',
};

/** Handler → program; they are gone with the test. */
export const faultyRuntimes = async (
  t: Pick<Test, 'teardown'>,
  runtime: string,
): Promise<Record<keyof typeof FAULTS, string>> => {
  const directory = await mkdtemp(join(tmpdir(), 'jangada-runtimes-'));
  t.teardown(() => rm(directory, { recursive: true }));
  const programs = Object.entries(FAULTS).map(async ([name, fault]) => {
    const path = join(directory, name);
    await writeFile(path, `#!/bin/sh\n${fault}\nexec ${runtime} "$@"\n`, { mode: 0o755 });
    return [name, path];
  });
  return Object.fromEntries(await Promise.all(programs)) as Record<keyof typeof FAULTS, string>;
};
