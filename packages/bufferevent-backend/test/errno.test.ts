import { constants } from 'node:os';
import { getSystemErrorMap } from 'node:util';
import { BackendError, Errno, type ErrnoName, errnoMessage, errnoName, resultOfErrnoName } from 'bufferevent-backend';
import { describe, expect, it } from 'vitest';

const names = Object.keys(Errno) as ErrnoName[];
const onLinux = describe.runIf(process.platform === 'linux');

onLinux('the errno table', () => {
  it.each(names)('C13: %s has the number that the system gives it', (name) => {
    const numbers = constants.errno as Record<string, number>;
    // Node lacks two of Linux's names; its own map has their numbers.
    const known = numbers[name] ?? -([...getSystemErrorMap()].find(([, [one]]) => one === name)?.[0] ?? 0);
    expect(Errno[name]).toBe(known);
  });

  it.each(names)('C13: %s reads as Node would put it', (name) => {
    expect(getSystemErrorMap().get(-Errno[name])).toEqual([name, errnoMessage(-Errno[name])]);
  });
});

describe('results', () => {
  it.each(names)('C13: %s survives the way to a result and back', (name) => {
    expect(errnoName(resultOfErrnoName(name))).toBe(name);
  });

  it.each(['EWHATEVER', undefined, 'toString', 'ERR_SOCKET_CLOSED'])('C13: %s becomes EIO', (name) => {
    expect(resultOfErrnoName(name)).toBe(-Errno.EIO);
  });

  it('C13: a number outside the table is called EIO', () => {
    expect(errnoName(-9999)).toBe('EIO');
    expect(errnoMessage(-9999)).toBe('i/o error');
  });

  it('the table cannot be changed', () => {
    expect(Object.isFrozen(Errno)).toBe(true);
  });
});

describe('BackendError', () => {
  it('is recognised across copies of the package, by its brand', () => {
    const foreign = Object.assign(new Error('x'), { [Symbol.for('bufferevent-backend.BackendError')]: true });
    expect(foreign).toBeInstanceOf(BackendError);
    expect(new Error('x')).not.toBeInstanceOf(BackendError);
    expect(new BackendError('ERR_BACKEND_BUSY', 'x')).toMatchObject({ name: 'BackendError', code: 'ERR_BACKEND_BUSY' });
  });
});
