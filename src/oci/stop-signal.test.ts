import t from 'tap';
import { signalName, signalNumber, stopSignal } from './stop-signal.js';

t.test('signals as images write them', async (t) => {
  const cases: Array<[string, number | undefined]> = [
    ['SIGTERM', 15],
    ['TERM', 15],
    ['15', 15],
    ['sigquit', 3],
    ['SIGRTMIN', 34],
    ['SIGRTMIN+3', 37],
    ['RTMAX-1', 63],
    ['SIGRTMAX+1', undefined],
    ['0', undefined],
    ['65', undefined],
    ['SIGNONSENSE', undefined],
    ['', undefined],
  ];
  for (const [name, number] of cases) t.equal(signalNumber(name), number, name);
});

t.test('the request wins over the image, which wins over SIGTERM', async (t) => {
  t.equal(stopSignal('SIGNAL_SIGUSR1', 'SIGQUIT'), 10);
  t.equal(stopSignal('SIGNAL_RUNTIME_DEFAULT', 'SIGQUIT'), 3);
  t.equal(stopSignal('SIGNAL_RUNTIME_DEFAULT', undefined), 15);
  t.equal(stopSignal('SIGNAL_RUNTIME_DEFAULT', 'bogus'), 15);
  t.equal(stopSignal('SIGNAL_SIGRTMINPLUS3', undefined), 37);
  t.equal(stopSignal('SIGNAL_SIGRTMAXMINUS14', undefined), 50);
});

t.test('every number has the name that gives it back', async (t) => {
  for (let number = 1; number <= 64; number++) {
    if (number === 32 || number === 33) continue; // the C library's own
    t.equal(stopSignal(signalName(number), undefined), number, String(number));
  }
});
