import type { Backend } from 'bufferevent-backend';
import { epollBackend } from 'bufferevent-epoll';
import { iocpBackend } from 'bufferevent-iocp';
import { netBackend } from 'bufferevent-net';
import { isUsable } from './usable.js';

const native: Backend = process.platform === 'win32' ? iocpBackend : epollBackend;

/** The one that is written for this system, where it is available. */
export const nativeBackends: readonly Backend[] = isUsable(native.name, native.unavailabilityReason()) ? [native] : [];

/** The backends over sockets of the system that tests run on here. */
export const systemBackends: readonly Backend[] = [netBackend, ...nativeBackends];
