import { closeSync, openSync, statSync } from 'node:fs';
import { isAbsent, readOpenFile } from './cgroup-file.js';

/** Counters of one network interface, as the kernel has them. */
export interface InterfaceCounters {
  readonly name: string;
  readonly rx: Counters;
  readonly tx: Counters;
}

export interface Counters {
  readonly bytes: number;
  readonly packets: number;
  readonly errors: number;
  readonly dropped: number;
}

/**
 * The interfaces of a pod, as `pid` sees them, who lives in its network namespace. A pid may be somebody else's by now, and the numbers
 * of another pod would be believed. So the process is asked for its namespace after the file was opened: a process that is in the pod
 * now was the one whose file that is.
 */
export const readInterfaces = (pid: number, netnsPath: string): InterfaceCounters[] | undefined => {
  if (pid === 0 || netnsPath === '') return undefined;
  let fd = -1;
  try {
    // Not kept open: it would keep the namespace.
    fd = openSync(`/proc/${pid}/net/dev`, 'r');
    const [pod, process] = [statSync(netnsPath), statSync(`/proc/${pid}/ns/net`)];
    if (pod.ino !== process.ino || pod.dev !== process.dev) return undefined;
    return parseNetDev(readOpenFile(fd) ?? '');
  } catch (error) {
    if (isAbsent(error) || (error as NodeJS.ErrnoException).code === 'ESRCH') return undefined;
    throw error;
  } finally {
    if (fd >= 0) closeSync(fd);
  }
};

/** Two lines of headings, then `name: bytes packets errs drop fifo frame compressed multicast` and the same of what was sent. */
export const parseNetDev = (text: string): InterfaceCounters[] =>
  text
    .split('\n')
    .slice(2)
    .filter((line) => line.includes(':'))
    .map((line) => {
      const at = line.lastIndexOf(':');
      const numbers = line
        .slice(at + 1)
        .trim()
        .split(/\s+/)
        .map(Number);
      const counters = (from: number): Counters => {
        const [bytes = 0, packets = 0, errors = 0, dropped = 0] = numbers.slice(from);
        return { bytes, packets, errors, dropped };
      };
      return { name: line.slice(0, at).trim(), rx: counters(0), tx: counters(8) };
    })
    .filter(({ name }) => name !== 'lo');
