import { expect, test } from 'vitest';
import { faultOfAnswer, faultOfTask, readErrorBody } from './faults.ts';

const xml = (minor: string, message: string) =>
  `<Error xmlns="http://www.vmware.com/vcloud/v1.5" majorErrorCode="400" minorErrorCode="${minor}" message="${message}"/>`;
const answer = (status: number, minor: string, message = 'no', method = 'POST', headers = {}) =>
  faultOfAnswer({
    who: 'cloud-director c',
    what: 'do it',
    method,
    status,
    headers,
    error: readErrorBody(status, 'application/vnd.vmware.vcloud.error+xml;version=37.0', xml(minor, message)),
  });

test('minor codes decide what a refusal means', () => {
  expect(answer(400, 'DUPLICATE_NAME').code).toBe('object.exists');
  expect(answer(400, 'BUSY_ENTITY').code).toBe('object.busy');
  expect(answer(400, 'BAD_REQUEST', 'The entity x is busy, cannot proceed with the operation.').code).toBe(
    'object.busy',
  );
  expect(answer(400, 'EULA_NOT_ACCEPTED').code).toBe('eula.required');
  expect(answer(400, 'BAD_REQUEST').code).toBe('cloud.failed');
});

test('a hidden object and a missing one are the same when it is read, a refused change is a missing right', () => {
  expect(answer(403, 'ACCESS_TO_RESOURCE_IS_FORBIDDEN', 'no', 'GET').code).toBe('object.missing');
  expect(answer(403, 'ACCESS_TO_RESOURCE_IS_FORBIDDEN', 'no', 'POST').code).toBe('auth.forbidden');
});

test('a busy cloud says for how long, in seconds or as a date', () => {
  const soon = answer(503, '', '', 'GET', { 'retry-after': '7' });
  expect([soon.code, soon.retryAfterSeconds]).toEqual(['cloud.busy', 7]);
  const date = new Date(Date.now() + 20_000).toUTCString();
  expect(answer(429, '', '', 'GET', { 'retry-after': date }).retryAfterSeconds).toBeGreaterThan(15);
});

test('the sentence names who and what and drops the request id that the cloud puts in front', () => {
  expect(answer(400, 'BAD_REQUEST', '[ 1f2a-99 ] The disk is too small.').message).toBe(
    'cloud-director c: do it: The disk is too small.',
  );
});

test('an answer that is neither XML nor JSON gives the status alone', () => {
  expect(readErrorBody(502, 'text/html', '<html>proxy</html>').message).toBe('');
  expect(readErrorBody(500, 'application/json', 'oops')).toEqual({ major: 500, minor: '', message: '' });
  expect(readErrorBody(400, 'application/json', '{"minorErrorCode":"X","message":"m"}')).toMatchObject({
    minor: 'X',
    message: 'm',
  });
});

test('a failed task carries the message of the cloud', () => {
  const fault = faultOfTask('cloud-director c', 'upload "a"', 'error', {
    major: 500,
    minor: 'INTERNAL_SERVER_ERROR',
    message: 'disk full',
  });
  expect([fault.code, fault.message]).toEqual(['cloud.failed', 'cloud-director c: upload "a": disk full']);
  expect(faultOfTask('w', 'x', 'canceled', undefined).message).toBe('w: x: the task was canceled');
});
