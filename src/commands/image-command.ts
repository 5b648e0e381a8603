import { type Command, Option } from 'commander';
import { ownConfig, type Whose } from '../base/own-config.js';
import { addWhose } from './whose.js';
import { runImageImport } from './image-import.js';
import { runImageInspect } from './image-inspect.js';
import { runImageList } from './image-list.js';
import { runImagePrune } from './image-prune.js';
import { runImagePull } from './image-pull.js';
import { runImageRemove } from './image-remove.js';
import { runImageTag, runImageUntag } from './image-tag.js';

interface Options extends Whose {
  output: 'table' | 'json';
}

/** `jangada image …`: what the CRI can is asked through it, the rest through the control socket. */
export const addImageCommands = (program: Command): void => {
  const image = program.command('image').description('images of this node');
  const verb = (usage: string, description: string) => addWhose(image.command(usage).description(description));
  const output = () => new Option('-o, --output <format>', 'format').choices(['table', 'json']).default('table');

  verb(
    'import <file>',
    'take the images of an archive, "-" for standard input: docker save, OCI layout; plain, gzip, zstd',
  )
    .option('--pin', 'keep them from being removed when the disk gets full', false)
    .addOption(output())
    .action(async (file: string, { output, pin, ...whose }: Options & { pin: boolean }) => {
      process.exitCode = await runImageImport(ownConfig(whose), file, pin, output);
    });
  verb('list', 'show the images')
    .addOption(output())
    .option('-q, --quiet', 'names alone', false)
    .action(async ({ output, quiet, ...whose }: Options & { quiet: boolean }) =>
      runImageList(ownConfig(whose), quiet ? 'names' : output),
    );
  verb('pull <name>', 'have an image pulled').action(async (name: string, whose: Options) =>
    runImagePull(ownConfig(whose), name),
  );
  verb('tag <image> <name>', 'give an image another name').action(async (known: string, name: string, whose: Options) =>
    runImageTag(ownConfig(whose), known, name),
  );
  verb('untag <name>', 'take a name away; the image stays').action(async (name: string, whose: Options) =>
    runImageUntag(ownConfig(whose), name),
  );
  verb('remove <image...>', 'remove images with all their names').action(async (names: string[], whose: Options) => {
    process.exitCode = await runImageRemove(ownConfig(whose), names);
  });
  verb('inspect <image>', 'print all that is known of an image, as JSON').action(
    async (name: string, whose: Options) => {
      process.exitCode = await runImageInspect(ownConfig(whose), name);
    },
  );
  verb('prune', 'remove images without a name that no container uses')
    .option('--all', 'those with names, too; pinned ones stay', false)
    .addOption(output())
    .action(async ({ output, all, ...whose }: Options & { all: boolean }) =>
      runImagePrune(ownConfig(whose), all, output),
    );
};
