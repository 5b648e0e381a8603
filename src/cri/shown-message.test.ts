import t from 'tap';
import { shownMessage } from './shown-message.js';

t.test('fields have their names of api.proto; keys of maps are the user’s', async (t) => {
  t.same(
    shownMessage('ContainerConfig', {
      logPath: 'a.log',
      labels: { camelCase: 'kept' },
      CDIDevices: [{ name: 'vendor.com/device=0' }],
      linux: { securityContext: { maskedPaths: ['/camelCase'] }, resources: null },
    }),
    {
      log_path: 'a.log',
      labels: { camelCase: 'kept' },
      CDI_devices: [{ name: 'vendor.com/device=0' }],
      linux: { security_context: { masked_paths: ['/camelCase'] } },
    },
  );
});

t.test('numbers and enumerations are numbers, text that looks like one is not', async (t) => {
  t.same(
    shownMessage('PodSandboxConfig', {
      hostname: '12',
      portMappings: [{ protocol: 'UDP', containerPort: 53 }],
      linux: {
        resources: { cpuShares: '512', memoryLimitInBytes: '9223372036854775807' },
        securityContext: { namespaceOptions: { network: 'NODE', pid: 'POD' }, runAsUser: { value: '1000' } },
      },
    }),
    {
      hostname: '12',
      port_mappings: [{ protocol: 1, container_port: 53 }],
      linux: {
        resources: { cpu_shares: 512, memory_limit_in_bytes: '9223372036854775807' },
        security_context: { namespace_options: { network: 2 }, run_as_user: { value: 1000 } },
      },
    },
  );
});

t.test('defaults are left out, items of lists are not', async (t) => {
  t.same(
    shownMessage('ContainerConfig', {
      command: ['', 'a'],
      args: [],
      annotations: {},
      workingDir: '',
      tty: false,
      stopSignal: 'RUNTIME_DEFAULT',
      linux: { resources: { cpuQuota: '0' }, securityContext: { supplementalGroups: ['0', '7'] } },
    }),
    { command: ['', 'a'], linux: { resources: {}, security_context: { supplemental_groups: [0, 7] } } },
  );
});

t.test('bytes are text', async (t) => {
  const envs = [{ key: 'A', value: Buffer.from('b') }];
  t.same(shownMessage('ContainerConfig', { envs }), { envs: [{ key: 'A', value: 'b' }] });
});
