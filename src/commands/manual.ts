import type { Command, Option } from 'commander';

/** What roff would take for a request or an escape: man(7), "Fonts" and "Requests". */
const escaped = (text: string): string =>
  text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll(/^(?=[.'])/gm, '\\&');

const bold = (text: string): string => `\\fB${escaped(text)}\\fR`;

const item = (term: string, text: string): string[] => ['.TP', bold(term), escaped(text)];

const optionItem = ({ flags, description, defaultValue, argChoices }: Option): string[] =>
  item(
    flags,
    [
      description,
      argChoices && `one of: ${argChoices.join(', ')}`,
      defaultValue !== undefined && `default: ${String(defaultValue)}`,
    ]
      .filter(Boolean)
      .join('; '),
  );

const commandSection = (command: Command, parents: string): string[] => {
  const name = `${parents} ${command.name()}`;
  const nested = command.commands.flatMap((child) => commandSection(child, name));
  if (nested.length > 0) return nested;
  return [
    `.SS ${bold(`${name} ${command.usage()}`.trim())}`,
    escaped(command.description()),
    ...command.options.flatMap(optionItem),
  ];
};

const FILES: ReadonlyArray<[string, string]> = [
  ['/etc/jangada/config.toml', 'configuration: all keys with their defaults'],
  ['/etc/jangada/config.d/*.toml', 'drop-ins, later names win'],
  ['/etc/jangada/certs.d/', 'registries: hosts.toml and certificates'],
  ['/run/jangada/jangada.sock', 'the CRI'],
  ['/run/jangada/control.sock', 'what the CRI has no words for: root alone'],
  ['/var/lib/jangada/images.d/', 'archives of images that are imported and pinned'],
  ['/var/lib/jangada/', 'images, layers, writable layers, journal'],
];

/** The manual page jangada(8), in roff, made of what the command line knows of itself. */
export const manual = (program: Command, version: string): string =>
  [
    `.TH JANGADA 8 "" "jangada ${version}" "System administration"`,
    '.SH NAME',
    `${program.name()} \\- ${escaped(program.description().replace(/^A /, ''))}`,
    '.SH SYNOPSIS',
    `${bold(program.name())} \\fIcommand\\fR [\\fIoptions\\fR]`,
    '.SH DESCRIPTION',
    escaped('Serves the Kubernetes Container Runtime Interface (CRI v1) on a unix socket, for a kubelet or crictl.'),
    escaped('The daemon may be stopped, killed and updated at any time: containers run on.'),
    '.SH COMMANDS',
    ...program.commands
      .filter((command) => command.name() !== 'help')
      .flatMap((command) => commandSection(command, program.name())),
    '.SH FILES',
    ...FILES.flatMap(([file, text]) => item(file, text)),
    '.SH SEE ALSO',
    '.BR crictl (1),',
    '.BR systemctl (1)',
    '',
  ].join('\n');
