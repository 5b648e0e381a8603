import type { Test } from 'tap';
import type { Cri } from '../harness/client.js';
import { busyboxImage } from '../harness/images.js';
import { until } from '../harness/wait.js';
import { Machine, type SecurityModule } from './machine.js';

/** Where the kubelet has the logs of pods. */
const LOGS = '/var/log/pods';
const HOSTS = '/etc/jangada/certs.d/127.0.0.1:5000';
const SERVING_MS = 60_000;

/** A guest with jangada installed as deploy/README.md tells users to, and with the busybox image in its registry. */
export class VmNode {
  readonly logs = LOGS;

  private constructor(
    readonly machine: Machine,
    /** Reference of the busybox image, already pulled. */
    readonly busybox: string,
  ) {}

  static async start(t: Pick<Test, 'teardown'>, module?: SecurityModule): Promise<VmNode> {
    const machine = await Machine.start(t, module);
    await machine.run(`cd /opt/jangada && deploy/install.sh &&
      mkdir -p /etc/cni/net.d '${HOSTS}' && cp deploy/cni/10-jangada.conflist /etc/cni/net.d/ &&
      echo 'server = "http://127.0.0.1:5000"' > '${HOSTS}/hosts.toml'`);
    await machine.run('systemctl enable --now jangada.service jangada-shutdown.service');
    const busybox = await machine.push(await busyboxImage(), 'busybox');
    await machine.cri.pullImage({ image: { image: busybox } });
    return new VmNode(machine, busybox);
  }

  get cri(): Cri {
    return this.machine.cri;
  }

  run(command: string): Promise<string> {
    return this.machine.run(command);
  }

  /** One property of the service, as systemd has it. */
  async property(name: string): Promise<string> {
    return (await this.run(`systemctl show --value --property=${name} jangada.service`)).trim();
  }

  /** Until the daemon answers on its socket. */
  async serving(): Promise<void> {
    await until(
      'the daemon to serve',
      () =>
        this.cri
          .version({})
          .then(() => true)
          .catch(() => false),
      SERVING_MS,
    );
  }

  /** The host's pid of the container's first process. */
  async pidOf(containerId: string): Promise<number> {
    const { info } = await this.cri.containerStatus({ containerId, verbose: true });
    return (JSON.parse(info['info'] ?? '{}') as { pid: number }).pid;
  }
}
