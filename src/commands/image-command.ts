import { type Command, Option } from 'commander';
import { readConfig } from '../base/config.js';
import { runImageImport } from './image-import.js';
import { runImageInspect } from './image-inspect.js';
import { runImageList } from './image-list.js';
import { runImagePrune } from './image-prune.js';
import { runImagePull } from './image-pull.js';
import { runImageRemove } from './image-remove.js';
import { runImageTag, runImageUntag } from './image-tag.js';

interface Options {
  config: string;
  output: 'table' | 'json';
}

/** `jangada image …`: what the CRI can is asked through it, the rest through the control socket. */
export const addImageCommands = (program: Command, defaultConfig: string): void => {
  const image = program.command('image').description('images of this node');
  const verb = (usage: string, description: string) =>
    image.command(usage).description(description).option('--config <file>', 'configuration file', defaultConfig);
  const output = () => new Option('-o, --output <format>', 'format').choices(['table', 'json']).default('table');

  verb(
    'import <file>',
    'take the images of an archive, "-" for standard input: docker save, OCI layout; plain, gzip, zstd',
  )
    .option('--pin', 'keep them from being removed when the disk gets full', false)
    .addOption(output())
    .action(async (file: string, { config, output, pin }: Options & { pin: boolean }) => {
      process.exitCode = await runImageImport(readConfig(config), file, pin, output);
    });
  verb('list', 'show the images')
    .addOption(output())
    .option('-q, --quiet', 'names alone', false)
    .action(async ({ config, output, quiet }: Options & { quiet: boolean }) =>
      runImageList(readConfig(config), quiet ? 'names' : output),
    );
  verb('pull <name>', 'have an image pulled').action(async (name: string, { config }: Options) =>
    runImagePull(readConfig(config), name),
  );
  verb('tag <image> <name>', 'give an image another name').action(
    async (known: string, name: string, options: Options) => runImageTag(readConfig(options.config), known, name),
  );
  verb('untag <name>', 'take a name away; the image stays').action(async (name: string, { config }: Options) =>
    runImageUntag(readConfig(config), name),
  );
  verb('remove <image...>', 'remove images with all their names').action(
    async (names: string[], { config }: Options) => {
      process.exitCode = await runImageRemove(readConfig(config), names);
    },
  );
  verb('inspect <image>', 'print all that is known of an image, as JSON').action(
    async (name: string, { config }: Options) => {
      process.exitCode = await runImageInspect(readConfig(config), name);
    },
  );
  verb('prune', 'remove images without a name that no container uses')
    .option('--all', 'those with names, too; pinned ones stay', false)
    .addOption(output())
    .action(async ({ config, output, all }: Options & { all: boolean }) =>
      runImagePrune(readConfig(config), all, output),
    );
};
