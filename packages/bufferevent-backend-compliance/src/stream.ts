import assert from 'node:assert/strict';
import { Errno, errnoName, type Handle, Operation, type Port, type Segment } from 'bufferevent-backend';
import { concat } from './bytes.js';
import type { Driver } from './driver.js';
import type { Completion } from './ledger.js';

const DEFAULT_MAX = 65_536;

/** One connected stream of a driver, with the steps that most cases are made of. */
export class Stream {
  readonly driver: Driver;
  readonly handle: Handle;

  constructor(driver: Driver, handle: Handle) {
    this.driver = driver;
    this.handle = handle;
  }

  get port(): Port {
    return this.driver.port;
  }

  next(operation: Operation): Promise<Completion> {
    return this.driver.next(this.handle, operation);
  }

  /** Submits a recv and waits for it. The lease stays out. */
  recv(max: number = DEFAULT_MAX): Promise<Completion> {
    this.port.recv(this.handle, max);
    return this.next(Operation.recv);
  }

  /** Receives once, copies the bytes and gives the memory back. Empty at the end; a failure throws. */
  async take(max: number = DEFAULT_MAX): Promise<Uint8Array> {
    const completion = await this.recv(max);
    this.expectSuccess(completion);
    const copy = completion.bytes.slice();
    this.driver.release(completion);
    return copy;
  }

  /** Receives until `length` bytes are there. */
  async takeExactly(length: number, max: number = DEFAULT_MAX): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    for (let left = length; left > 0; ) {
      const part = await this.take(Math.min(max, left));
      if (part.length === 0) throw this.driver.failure(`C8: the stream ended ${left} of ${length} bytes early`);
      parts.push(part);
      left -= part.length;
    }
    return concat(parts);
  }

  /** Receives to the end of the stream. */
  async takeAll(max: number = DEFAULT_MAX): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    for (;;) {
      const part = await this.take(max);
      if (part.length === 0) return concat(parts);
      parts.push(part);
    }
  }

  submitSend(bytes: Uint8Array): void {
    this.port.send(this.handle, [segmentOf(bytes)]);
  }

  /** Sends once; the completion may be short or a failure. */
  send(bytes: Uint8Array): Promise<Completion> {
    this.submitSend(bytes);
    return this.next(Operation.send);
  }

  /** Sends until everything is gone, resuming after short sends. */
  async sendAll(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; ) {
      const completion = await this.send(bytes.subarray(at));
      this.expectSuccess(completion);
      at += completion.result;
    }
  }

  async shutdown(): Promise<void> {
    this.port.shutdown(this.handle);
    this.expectSuccess(await this.next(Operation.shutdown));
  }

  async close(): Promise<void> {
    this.port.close(this.handle);
    await this.next(Operation.close);
  }

  async reset(): Promise<void> {
    this.port.reset(this.handle);
    await this.next(Operation.reset);
  }

  expectSuccess(completion: Completion): void {
    if (completion.result < 0) {
      throw this.driver.failure(
        `operation ${completion.operation} on ${completion.handle} failed with ${errnoName(completion.result)}`,
      );
    }
  }

  /** Receives until an error comes; fails when the stream ends cleanly instead. */
  async takeError(): Promise<number> {
    for (;;) {
      const completion = await this.recv();
      if (completion.result < 0) return completion.result;
      if (completion.result === 0) throw this.driver.failure('C13: the stream ended cleanly, an error was due');
      this.driver.release(completion);
    }
  }

  /** Asserts that a completion was cancelled with nothing moved. */
  async expectCanceled(operation: Operation): Promise<void> {
    const { result } = await this.next(operation);
    assert.equal(result, -Errno.ECANCELED, `operation ${operation} completed with ${result}, not -ECANCELED`);
  }
}

export function segmentOf(bytes: Uint8Array): Segment {
  return { memory: bytes, start: 0, end: bytes.length };
}
