import t from 'tap';
import type { ContainerAdjustment__Output } from '../../gen/nri/nri/pkg/api/v1alpha1/ContainerAdjustment.js';
import { readAdjustment } from './read-adjustment.js';

const given = (over: Partial<ContainerAdjustment__Output>): ContainerAdjustment__Output => ({
  annotations: {},
  mounts: [],
  env: [],
  hooks: null,
  linux: null,
  rlimits: [],
  CDIDevices: [],
  args: [],
  ...over,
});

t.test('nothing is nothing', async (t) => {
  t.same(readAdjustment(given({}), 'p'), []);
});

t.test('what is taken away comes before what is set', async (t) => {
  const adjustment = given({
    annotations: { '-a': '', a: '1', b: '2' },
    env: [
      { key: '-X', value: '' },
      { key: 'Y', value: '1' },
    ],
    args: ['', 'sh'],
  });
  t.same(readAdjustment(adjustment, 'p'), [
    { annotations: { a: null }, env: { X: null }, args: null },
    { annotations: { a: '1', b: '2' }, env: { Y: '1' }, args: ['sh'] },
  ]);
});

t.test('hooks keep their moments and times', async (t) => {
  const hook = { path: '/bin/true', args: ['true'], env: [], timeout: { value: '5' } };
  const none = {
    prestart: [],
    createRuntime: [],
    createContainer: [],
    startContainer: [],
    poststart: [],
    poststop: [],
  };
  t.same(readAdjustment(given({ hooks: { ...none, poststop: [hook] } }), 'p'), [
    { hooks: { poststop: [{ path: '/bin/true', args: ['true'], timeout: 5 }] } },
  ]);
});
