import t from 'tap';
import { withWireNames } from './wire-names.js';

t.test('fields have their names of api.proto; keys of maps are the user’s', async (t) => {
  t.same(
    withWireNames({
      logPath: 'a.log',
      labels: { camelCase: 'kept' },
      linux: { securityContext: { maskedPaths: ['/camelCase'] }, resources: null },
    }),
    {
      log_path: 'a.log',
      labels: { camelCase: 'kept' },
      linux: { security_context: { masked_paths: ['/camelCase'] }, resources: null },
    },
  );
});

t.test('bytes are text, also after they were journalled', async (t) => {
  const envs = [{ key: 'A', value: Buffer.from('b') }];
  t.same(withWireNames({ envs }), { envs: [{ key: 'A', value: 'b' }] });
  t.same(withWireNames(JSON.parse(JSON.stringify({ envs }))), { envs: [{ key: 'A', value: 'b' }] });
});
