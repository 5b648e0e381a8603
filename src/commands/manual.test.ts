import { spawnSync } from 'node:child_process';
import { Command, Option } from 'commander';
import t from 'tap';
import { manual } from './manual.js';

const program = (): Command => {
  const made = new Command('raft').description('A thing that floats');
  made.command('sail').description("go; don't stop\n.here").option('--wind <knots>', 'how much', '7').argument('<to>');
  const image = made.command('image').description('images');
  image
    .command('list')
    .description('what is there')
    .addOption(new Option('-o <format>', 'format').choices(['table', 'json']));
  return made;
};

t.test('every command stands in the page, with its options and their defaults', async (t) => {
  const page = manual(program(), '1.2.3');
  t.match(page, /^\.TH JANGADA 8 "" "jangada 1\.2\.3"/);
  t.match(page, '.SS \\fBraft sail [options] <to>\\fR');
  t.match(page, 'how much; default: 7');
  t.match(page, '.SS \\fBraft image list [options]\\fR');
  t.match(page, 'format; one of: table, json');
  t.notMatch(page, /^\.SS .*raft image \[/m, 'a group of commands is no command');
});

t.test('nothing that a description says is a request of roff', async (t) => {
  t.notMatch(manual(program(), '1'), /^\.here/m);
});

t.test('man finds no fault', async (t) => {
  const { status, stderr } = spawnSync('nroff', ['-man', '-ww', '-Wbreak'], {
    input: manual(program(), '1'),
    encoding: 'utf8',
  });
  t.same([status, stderr], [0, '']);
});
