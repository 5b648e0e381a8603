import t from 'tap';
import { exitOutcome, statusJson, statusText } from './status.js';

t.test('status objects are those that client-go decodes', async (t) => {
  t.equal(statusJson(exitOutcome(0, ['true'])), '{"metadata":{},"status":"Success"}');
  t.same(JSON.parse(statusJson(exitOutcome(137, ['sh', '-c', 'x']))), {
    metadata: {},
    status: 'Failure',
    message: 'command terminated with non-zero exit code: error executing command [sh -c x], exit code 137',
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: '137' }] },
  });
  t.match(JSON.parse(statusJson({ kind: 'error', message: 'why' })), {
    status: 'Failure',
    reason: 'InternalError',
    message: 'Internal error occurred: why',
    code: 500,
  });
});

t.test('older protocols have a text, and none for a success', async (t) => {
  t.equal(statusText(exitOutcome(0, ['true'])), '');
  t.match(statusText(exitOutcome(2, ['false'])), /exit code 2$/);
});
