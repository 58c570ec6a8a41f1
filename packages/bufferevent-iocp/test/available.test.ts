// What holds on every system; what needs Windows is in the files that end in `-node.ts`.
import { createIocpBackend, iocpBackend } from 'bufferevent-iocp';
import { describe, expect, it } from 'vitest';

describe('where there are no completion ports', () => {
  it.runIf(process.platform !== 'win32')('the backend says why it is not available, and makes no port', () => {
    const reason = `completion ports exist on Windows only, and this is ${process.platform}`;
    expect(iocpBackend.isAvailable()).toBe(false);
    expect(iocpBackend.unavailabilityReason()).toBe(reason);
    expect(() => iocpBackend.createPort(() => undefined)).toThrow(`iocp is not available: ${reason}`);
  });
});

describe('createIocpBackend', () => {
  it('takes 1 to 64 threads', () => {
    for (const threads of [1, 64]) expect(createIocpBackend({ threads }).name).toBe('iocp');
    for (const threads of [0, 65, 1.5]) expect(() => createIocpBackend({ threads })).toThrow(RangeError);
    expect(() => createIocpBackend({ threads: '1' as unknown as number })).toThrow(TypeError);
  });
});
