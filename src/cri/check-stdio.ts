import { invalidArgument } from '../base/errors.js';
import type { WantedStdio } from '../lifecycle/stream-request.js';

/** The streams of an ExecRequest or AttachRequest; the rules are those of api.proto. */
export const checkStdio = ({ tty, stdin, stdout, stderr }: WantedStdio): WantedStdio => {
  if (tty && stderr) throw invalidArgument('tty and stderr cannot both be true: a terminal has one output');
  if (!stdin && !stdout && !stderr)
    throw invalidArgument('one of stdin, stdout, or stderr must be set: the request wants no stream');
  return { tty, stdin, stdout, stderr };
};
