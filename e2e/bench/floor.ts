import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { compile, programSource } from '../harness/images.js';
import { CpuAccount } from './cpu.js';
import { benchProgram } from './images.js';
import type { Results } from './results.js';

const run = promisify(execFile);

/** As the table shows it. */
export const FLOOR = 'bare kernel';

/** Operations of programs/floor.c that stand for one metric each; their sum stands for it where there are several. */
const METRICS: Record<string, string[]> = {
  'RunPodSandbox, host network': ['sandbox'],
  CreateContainer: ['container'],
  StartContainer: ['start'],
  'Pod start (Run + Create + Start), host network': ['sandbox', 'container', 'start'],
  'ExecSync of a static /true': ['exec'],
  'StopContainer, timeout 0': ['stop'],
  RemoveContainer: ['remove'],
  'StopPodSandbox, host network': ['sandbox-stop'],
  'RunPodSandbox, CNI': ['network'],
  'StopPodSandbox, CNI': ['network-stop'],
};

/** What the kernel alone takes for the work of a pod: as near as a runtime could come. */
export class Floor {
  readonly #home: string;
  readonly #cgroup: string;
  readonly #account: CpuAccount;

  constructor(home: string, cgroup: string) {
    this.#home = home;
    this.#cgroup = cgroup;
    this.#account = new CpuAccount(cgroup);
  }

  async prepare(): Promise<void> {
    for (const directory of ['proc', 'sys', 'dev'])
      await mkdir(join(this.#home, 'lower', directory), { recursive: true });
    const programs = {
      floor: benchProgram('floor'),
      'lower/true': benchProgram('true'),
      'lower/pause': compile(programSource('pause')),
    };
    for (const [name, program] of Object.entries(programs))
      await writeFile(join(this.#home, name), await program, { mode: 0o755 });
  }

  async measure(cycles: number, round: number, results: Results): Promise<void> {
    // The shell joins the cgroup before, so that the measured cgroups can be made and removed below it.
    const script = 'echo $$ >"$0" && exec unshare --mount --propagation private "$@"';
    const program = [join(this.#home, 'floor'), this.#home, `${this.#cgroup}/container`, String(cycles)];
    const { stdout } = await run('/bin/sh', ['-c', script, this.#account.entrance(), ...program]);
    if (round === 0) return; // caches fill
    for (const cycle of cyclesOf(stdout))
      for (const [name, operations] of Object.entries(METRICS)) {
        const ms = operations.reduce((sum, operation) => sum + (cycle.get(operation) ?? Number.NaN), 0);
        results.add({ name, unit: 'ms', better: 'less' }, FLOOR, round, ms);
      }
  }
}

/** Each cycle begins with `sandbox`. */
const cyclesOf = (output: string): Array<Map<string, number>> => {
  const cycles: Array<Map<string, number>> = [];
  for (const line of output.trimEnd().split('\n')) {
    const [operation = '', ms] = line.split(' ');
    if (operation === 'sandbox') cycles.push(new Map());
    cycles.at(-1)?.set(operation, Number(ms));
  }
  return cycles;
};
