import { type Command, Option } from 'commander';
import { ownConfig, type Whose } from '../base/own-config.js';

interface Options extends Whose {
  output: 'table' | 'json';
}

/** What tells of this node. Each command is loaded when it is called: the daemon, which is the same program, has no use for it. */
export const addNodeCommands = (command: (usage: string, description: string) => Command): void => {
  const output = () => new Option('-o, --output <format>', 'format').choices(['table', 'json']).default('table');

  command('status', 'show the node at a glance; exit status 1: a condition does not hold')
    .addOption(output())
    .action(async ({ output, ...whose }: Options) => {
      const { runStatus } = await import('./status.js');
      process.exitCode = await runStatus(ownConfig(whose), output);
    });
  command('ps', 'show pods and their containers')
    .option('-a, --all', 'those that have ended, too', false)
    .addOption(output())
    .action(async ({ output, all, ...whose }: Options & { all: boolean }) => {
      const { runPs } = await import('./ps.js');
      await runPs(ownConfig(whose), all, output);
    });
  command('events', 'print what becomes of pods and containers as it happens')
    .addOption(output())
    .action(async ({ output, ...whose }: Options) => {
      const { runEvents } = await import('./events.js');
      await runEvents(ownConfig(whose), output);
    });
  command('explain <pod-or-container>', 'show what the kernel enforces on it and where the time of its start went')
    .addOption(output())
    .action(async (name: string, { output, ...whose }: Options) => {
      const { runExplain } = await import('./explain.js');
      await runExplain(ownConfig(whose), name, output);
    });
  command('why <container>', 'tell why it has ended or does not run')
    .addOption(output())
    .action(async (name: string, { output, ...whose }: Options) => {
      const { runWhy } = await import('./why.js');
      await runWhy(ownConfig(whose), name, output);
    });
};
