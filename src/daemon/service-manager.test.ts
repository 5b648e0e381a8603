import t from 'tap';
import { ServiceManager, watchdogMs } from './service-manager.js';

const quiet = { warn: () => undefined };

t.test('systemd hears READY, the watchdog and STOPPING', async (t) => {
  const told: string[] = [];
  const beat = new Promise<void>((resolve) => {
    const addon = {
      notify: (socket: string, message: string) => {
        told.push(`${socket} ${message}`);
        if (message === 'WATCHDOG=1') resolve();
      },
    };
    const manager = new ServiceManager(addon, quiet, { NOTIFY_SOCKET: '@s', WATCHDOG_USEC: '2000' });
    manager.ready();
    t.teardown(() => manager.close());
    // Its own timer does not keep the process alive.
    const alive = setTimeout(() => undefined, 60_000);
    t.teardown(() => clearTimeout(alive));
  });
  await beat;
  t.same(told.slice(0, 2), ['@s READY=1', '@s WATCHDOG=1']);
});

t.test('without a service manager nothing is sent, and one that is gone ends nobody', async (t) => {
  const refuse = {
    notify: () => {
      throw new Error('ECONNREFUSED');
    },
  };
  const warned: string[] = [];
  const log = { warn: (_: unknown, message: string) => void warned.push(message) };
  const alone = new ServiceManager(refuse, log as never, {});
  alone.ready();
  alone.stopping();
  t.same(warned, []);
  new ServiceManager(refuse, log as never, { NOTIFY_SOCKET: '/gone' }).stopping();
  t.same(warned, ['cannot tell the service manager']);
});

t.test('the watchdog interval', async (t) => {
  t.equal(watchdogMs({}), 0);
  t.equal(watchdogMs({ WATCHDOG_USEC: '60000000' }), 60_000);
  t.equal(watchdogMs({ WATCHDOG_USEC: '60000000', WATCHDOG_PID: '7' }, 7), 60_000);
  t.equal(watchdogMs({ WATCHDOG_USEC: '60000000', WATCHDOG_PID: '7' }, 8), 0, "another process's");
  for (const bad of ['', 'x', '-1', '1.5']) t.equal(watchdogMs({ WATCHDOG_USEC: bad }), 0, bad);
});
