/**
 * The layers of src/: calls only go down, parts do not know each other, one door to native code.
 *
 *   main → commands, daemon → grpc, streaming, http → cri, control, compat → lifecycle → extend → parts → seams → base
 *
 * What needs two parts is a verb and lives in lifecycle/. Run by `make lint`.
 */
const layers = [
  ['main\\.ts$', 'commands/', 'daemon/', 'rootless/'],
  ['grpc/', 'streaming/', 'http/'],
  ['cri/', 'control/', 'compat/'],
  ['lifecycle/'],
  ['extend/'],
  ['store/', 'oci/', 'image/', 'layer/', 'network/', 'stats/', 'cgroup/'],
  ['supervisor/', 'native/', 'systemd/'],
];
const parts = layers[5].map((name) => name.slice(0, -1));
const under = (names) => `^src/(${names.join('|')})`;

const upwards = layers.slice(1).map((names, index) => ({
  name: `no-import-upwards-from-${names[0].replace(/\W/g, '')}`,
  comment: 'Calls only go down; exits and events come up through callbacks that daemon/compose.ts wires.',
  severity: 'error',
  from: { path: under(names), pathNot: '\\.(test|fixture)\\.ts$' },
  to: { path: under(layers.slice(0, index + 1).flat()), pathNot: '^src/oci/spec\\.ts$' },
}));

const apart = parts.map((part) => ({
  name: `${part}-knows-no-other-part`,
  comment: 'A part may know the types of the spec, nothing else of another part.',
  severity: 'error',
  from: { path: `^src/${part}/`, pathNot: '\\.(test|fixture)\\.ts$' },
  to: {
    path: under(parts.filter((other) => other !== part).map((name) => `${name}/`)),
    pathNot: '^src/oci/spec\\.ts$',
  },
}));

module.exports = {
  forbidden: [
    ...upwards,
    ...apart,
    {
      name: 'spec-is-types-to-others',
      comment: 'src/oci/spec.ts is shared vocabulary: import its types only.',
      severity: 'error',
      from: {
        path: under([...parts.filter((part) => part !== 'oci').map((name) => `${name}/`), 'native/']),
        pathNot: '\\.(test|fixture)\\.ts$',
      },
      to: { path: '^src/oci/spec\\.ts$', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'base-stands-on-nothing-of-ours',
      comment: 'The ground that every room may stand on.',
      severity: 'error',
      from: { path: '^src/(base/|(built|version)\\.ts$)' },
      to: { path: '^src/', pathNot: '^src/(base/|(built|version)\\.ts$|gen/)' },
    },
    {
      name: 'commands-speak-to-sockets',
      comment: "A command asks the daemon, or looks at the host as the daemon does; it never does the daemon's work.",
      severity: 'error',
      from: { path: '^src/commands/', pathNot: '\\.(test|fixture)\\.ts$' },
      to: { path: '^src/(lifecycle|store|oci|image|layer|network|stats|cgroup|supervisor|systemd)/' },
    },
    {
      name: 'native-door',
      comment: 'Only src/native loads the addon.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/native/' },
      to: { path: '\\.node$|^build/native' },
    },
    {
      name: 'no-processes-outside-the-seams',
      comment:
        'A spawn from the daemon costs milliseconds and grows with its heap: the spawner and src/supervisor start programs.',
      severity: 'error',
      from: {
        path: '^src/',
        pathNot: '^src/(supervisor|native|layer|daemon)/|^src/image/credential-helper\\.ts$|\\.(test|fixture)\\.ts$',
      },
      to: { path: '^(node:)?(child_process|cluster)$' },
    },
    {
      name: 'planning-is-pure',
      comment: 'oci/ decides and never looks: no files, no sockets, no processes.',
      severity: 'error',
      from: { path: '^src/oci/', pathNot: '\\.(test|fixture)\\.ts$' },
      to: { path: '^(node:)?(fs|fs/promises|net|http|https|child_process|dgram)$|^src/(native|supervisor)/' },
    },
    {
      name: 'cri-only-shapes',
      comment: 'An RPC checks its request, calls one verb and shapes the reply.',
      severity: 'error',
      from: { path: '^src/(cri|control)/', pathNot: '\\.(test|fixture)\\.ts$' },
      to: { path: '^(node:)?(fs|fs/promises|net|http|child_process)$|^src/(supervisor|native)/' },
    },
    {
      name: 'product-is-not-tests',
      severity: 'error',
      from: { path: '^src/', pathNot: '\\.(test|fixture)\\.ts$' },
      to: { path: '^e2e/|\\.(test|fixture)\\.ts$|node_modules/(tap|tar-stream|fast-check)/' },
    },
    {
      name: 'e2e-uses-the-front-door',
      comment:
        'End-to-end tests speak to the daemon through its socket. Generated types and the supervisor protocol are contracts too.',
      severity: 'error',
      from: { path: '^e2e/', pathNot: '^e2e/(supervisor|unpack|bench)/|^e2e/(image|network)-' },
      to: { path: '^src/', pathNot: '^src/(gen|supervisor|streaming/spdy/dictionary)' },
    },
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true, dependencyTypesNot: ['type-only'], pathNot: '^src/gen/' },
    },
    { name: 'no-unresolvable', severity: 'error', from: { pathNot: '^src/gen/' }, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: 'node_modules|^src/gen/' },
    exclude: { path: '^build/' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    moduleSystems: ['es6', 'cjs'],
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
      extensions: ['.ts', '.js', '.d.ts'],
    },
  },
};
