import t from 'tap';
import { busyboxImage } from './harness/images.js';
import { directory } from './harness/layer.js';
import { type Node, startNode } from './harness/node.js';
import { type ContainerOptions, Pod } from './harness/pod.js';

// What a container runs: the image's wish, the request's word.
let node: Node;
let pod: Pod;
let image: string;

t.before(async () => {
  node = await startNode(t);
  pod = await Pod.run(node.daemon, { hostname: 'helm', linux: { securityContext: { namespaceOptions: OWN } } });
  const config = {
    Entrypoint: ['/bin/echo', 'entrypoint'],
    Cmd: ['cmd'],
    Env: ['PATH=/bin', 'FROM=image', 'KEPT=yes'],
    WorkingDir: '/work',
  };
  image = await node.provide(await busyboxImage(config, [directory('work')]), 'process');
});

const OWN = { network: 'POD', pid: 'CONTAINER', ipc: 'POD' } as const;
const outputOf = async (options: ContainerOptions) => (await pod.complete(image, options)).output;

t.test('command is the entrypoint, args are the command; one of them replaces as Kubernetes says', async (t) => {
  t.equal(await outputOf({}), 'entrypoint cmd\n', 'neither: both of the image');
  t.equal(await outputOf({ args: ['args'] }), 'entrypoint args\n', "args: the image's entrypoint with them");
  t.equal(await outputOf({ command: ['/bin/echo', 'command'] }), 'command\n', "command: nothing of the image's");
  t.equal(await outputOf({ command: ['/bin/echo', 'command'], args: ['args'] }), 'command args\n');
});

t.test('the environment of the request wins over that of the image', async (t) => {
  const output = await outputOf({ command: ['env'], env: { FROM: 'request', NEW: 'a=b c' } });
  const lines = output.split('\n');
  for (const line of ['FROM=request', 'KEPT=yes', 'NEW=a=b c', 'PATH=/bin', 'HOSTNAME=helm'])
    t.ok(lines.includes(line), line);
  t.notOk(lines.includes('FROM=image'));
});

t.test('the working directory: of the request, else of the image; made when it is missing', async (t) => {
  t.equal(await outputOf({ command: ['pwd'] }), '/work\n');
  t.equal(await outputOf({ command: ['pwd'], workingDir: '/tmp' }), '/tmp\n');
  t.equal(await outputOf({ command: ['pwd'], workingDir: '/not/there/yet' }), '/not/there/yet\n');
});

t.test('stdin is /dev/null unless it is asked for, the umask is 022', async (t) => {
  t.match(await outputOf({ command: ['sh', '-c', 'readlink /proc/self/fd/0; umask'] }), /^\/dev\/null\n0022\n$/);
});

t.test('nothing is left', (t) => node.daemon.assertNothingLeft(t));
