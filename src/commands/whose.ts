import type { Command } from 'commander';
import { DEFAULT_CONFIG } from '../base/config.js';

/** The options that say which daemon a command is about; see Whose. */
export const addWhose = (command: Command): Command =>
  command
    .option(
      '--config <file>',
      `configuration file (default: ${DEFAULT_CONFIG}, of a user ~/.config/jangada/config.toml)`,
    )
    .option('--rootless', "of the user's own daemon; goes without saying for whoever is not root");
