import type { Logger } from 'pino';
import type { NativeAddon } from '../native/addon.js';

/** What systemd is told of the service and when; silent when nobody asks (sd_notify(3), sd_watchdog_enabled(3)). */
export class ServiceManager {
  readonly #socket: string | undefined;
  #beat: NodeJS.Timeout | undefined;

  constructor(
    private readonly addon: Pick<NativeAddon, 'notify'>,
    private readonly log: Pick<Logger, 'warn'>,
    private readonly env: NodeJS.ProcessEnv = process.env,
  ) {
    this.#socket = env['NOTIFY_SOCKET'];
  }

  /** The socket is open. From now on the watchdog hears of every half interval in which the event loop turned. */
  ready(): void {
    this.#tell('READY=1');
    const every = watchdogMs(this.env) / 2;
    if (every > 0) this.#beat = setInterval(() => this.#tell('WATCHDOG=1'), every).unref();
  }

  stopping(): void {
    this.#tell('STOPPING=1');
  }

  close(): void {
    clearInterval(this.#beat);
  }

  #tell(message: string): void {
    if (!this.#socket) return;
    try {
      this.addon.notify(this.#socket, message);
    } catch (error) {
      this.log.warn({ err: error, socket: this.#socket }, 'cannot tell the service manager');
    }
  }
}

/** 0 without a watchdog, or when it is meant for another process. */
export const watchdogMs = (env: NodeJS.ProcessEnv, pid = process.pid): number => {
  if (env['WATCHDOG_PID'] && env['WATCHDOG_PID'] !== String(pid)) return 0;
  const microseconds = Number(env['WATCHDOG_USEC'] ?? 0);
  return Number.isSafeInteger(microseconds) && microseconds > 0 ? microseconds / 1000 : 0;
};
