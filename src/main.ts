#!/usr/bin/env node
import { Command, Option } from 'commander';
import { addWhose } from './commands/whose.js';
import { addImageCommands } from './commands/image-command.js';
import { addNodeCommands } from './commands/node-command.js';
import { runCheck } from './commands/check.js';
import { runDaemon } from './daemon/daemon.js';
import { ControlError } from './commands/control.js';
import { runStopPods } from './commands/stop-pods.js';
import { ConfigError } from './base/config.js';
import { isRoot, ownConfig, type Whose } from './base/own-config.js';
import { VERSION } from './version.js';

const program = new Command('jangada').description('A Kubernetes container runtime').version(VERSION, '--version');

/** A command that works by the daemon's configuration. */
const command = (name: string, description: string): Command =>
  addWhose(program.command(name).description(description));

command('daemon', 'serve the Kubernetes CRI on a unix socket').action(async (whose: Whose) => {
  process.exitCode = await runDaemon(ownConfig(whose), whose.rootless ?? false);
  // Supervisors' sockets and a spawner must not keep a finished daemon alive.
  process.exit();
});

command('check', 'tell whether this host is fit; exit status 0: it is, 1: with limits, 2: the daemon cannot work here')
  .addOption(new Option('-o, --output <format>', 'format').choices(['table', 'json']).default('table'))
  .action(async ({ output, ...whose }: Whose & { output: string }) => {
    process.exitCode = await runCheck(ownConfig(whose), whose.rootless ?? !isRoot(), output);
  });

command('stop-pods', 'stop all pods, as at the shutdown of the node')
  .option('--grace <seconds>', 'time that containers have to end', '30')
  .action(async ({ grace, ...whose }: Whose & { grace: string }) => {
    const seconds = Number(grace);
    if (!Number.isInteger(seconds) || seconds < 0 || seconds > 86_400)
      throw new ConfigError(`not a number of seconds: --grace ${grace}`);
    process.exitCode = await runStopPods(ownConfig(whose), seconds);
  });

addNodeCommands(command);
addImageCommands(program);

program
  .command('manual')
  .description('print the manual page jangada(8)')
  .action(async () => {
    const { manual } = await import('./commands/manual.js');
    process.stdout.write(manual(program, VERSION));
  });

/** What a person should read: what the daemon and the configuration say is enough, a fault of ours is not. */
const printed = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof ConfigError || error instanceof ControlError) return error.message;
  // grpc-js's ServiceError
  return 'details' in error && typeof error.details === 'string' ? error.details : (error.stack ?? error.message);
};

try {
  // `jangada complete bash` prints a shell's script, which then asks `jangada complete -- WORDS` at each press of the key.
  if (process.argv[2] === 'complete') (await import('@bomb.sh/tab/commander')).default(program);
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`jangada: ${printed(error)}\n`);
  process.exit(1);
}
