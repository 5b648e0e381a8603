#!/usr/bin/env node
import { Command } from 'commander';
import { runDaemon } from './cli/daemon.js';
import { ConfigError } from './config.js';
import { VERSION } from './version.js';

const DEFAULT_CONFIG = '/etc/jangada/config.toml';

const program = new Command('jangada').description('A Kubernetes container runtime').version(VERSION, '--version');

program
  .command('daemon')
  .description('serve the Kubernetes CRI on a unix socket')
  .option('--config <file>', 'configuration file', DEFAULT_CONFIG)
  .action(async ({ config }: { config: string }) => {
    process.exitCode = await runDaemon(config, config !== DEFAULT_CONFIG);
    // Supervisors' sockets and a spawner must not keep a finished daemon alive.
    process.exit();
  });

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(
    `jangada: ${error instanceof ConfigError || !(error instanceof Error) ? String(error instanceof Error ? error.message : error) : error.stack}\n`,
  );
  process.exit(1);
}
