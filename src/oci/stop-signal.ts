import { constants } from 'node:os';
import { LIMITS } from '../gen/plan.js';
import type { Signal } from '../gen/runtime/v1/Signal.js';

const RTMIN = 34; // first real-time signal that the C library leaves to programs (signal(7), glibc and musl)
const RTMAX = LIMITS.signal;

/** Number of a signal written as an image writes it: `SIGTERM`, `TERM`, `15`, `SIGRTMIN+3`; undefined when it is none. */
export const signalNumber = (name: string): number | undefined => {
  if (/^\d{1,2}$/.test(name)) {
    const number = Number(name);
    return number >= 1 && number <= RTMAX ? number : undefined;
  }
  const word = name.toUpperCase().replace(/^SIG/, '');
  const realtime = /^(RTMIN|RTMAX)(?:([+-])(\d{1,2}))?$/.exec(word);
  if (realtime) {
    const offset = Number(realtime[3] ?? 0) * (realtime[2] === '-' ? -1 : 1);
    const number = (realtime[1] === 'RTMIN' ? RTMIN : RTMAX) + offset;
    return number >= RTMIN && number <= RTMAX ? number : undefined;
  }
  if (word === 'CLD') return constants.signals.SIGCHLD;
  return constants.signals[`SIG${word}` as NodeJS.Signals];
};

/** The signal that stops a container: the request's, else the image's, else SIGTERM (api.proto, ContainerConfig.stop_signal). */
export const stopSignal = (requested: keyof typeof Signal, image: string | undefined): number => {
  const fromRequest = signalNumber(
    requested
      .replace(/^SIGNAL_/, '')
      .replace('PLUS', '+')
      .replace('MINUS', '-'),
  );
  return fromRequest ?? signalNumber(image ?? '') ?? constants.signals.SIGTERM;
};

/** The CRI name of a signal number, for ContainerStatus.stop_signal. */
export const signalName = (number: number): keyof typeof Signal => {
  if (number === RTMIN) return 'SIGNAL_SIGRTMIN';
  if (number === RTMAX) return 'SIGNAL_SIGRTMAX';
  if (number > RTMIN && number <= RTMIN + 15) return `SIGNAL_SIGRTMINPLUS${number - RTMIN}` as keyof typeof Signal;
  if (number > RTMIN) return `SIGNAL_SIGRTMAXMINUS${RTMAX - number}` as keyof typeof Signal;
  const found = Object.entries(constants.signals).find(([, value]) => value === number);
  return found ? (`SIGNAL_${found[0]}` as keyof typeof Signal) : 'SIGNAL_RUNTIME_DEFAULT';
};
