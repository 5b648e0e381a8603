import t from 'tap';
import { Killing, succeeds } from './harness/killing.js';
import { Pod } from './harness/pod.js';

// The same while it makes a container. The pod shares no PID namespace: its init is made in the other test.
const killing = await Killing.start(t, 'CONTAINER');

t.test('while it makes a container', async (t) => {
  const { daemon, busybox } = killing.node;
  let calls = 0;
  for (let killed = true; killed; ) {
    const pod = await Pod.run(daemon, killing.everything);
    const { info } = await daemon.cri.podSandboxStatus({ podSandboxId: pod.id, verbose: true });
    const { pid } = JSON.parse(info['info'] ?? '{}') as { pid: number };
    const watch = await killing.killer.watch('supervisor', pid, ++calls);
    const made = await succeeds(pod.create(busybox));
    killed = await watch.end();
    const { containers } = await daemon.cri.listContainers({});
    if (containers.length !== Number(made))
      t.fail(`killed at system call ${calls}: ${containers.length} containers are listed`);
    await pod.remove();
    await killing.checkNothingIsLeft(t, calls);
  }
  t.ok(calls > 30, `killed at each of ${calls - 1} system calls`);
});

t.test('nothing is left', (t) => killing.end(t));
