// What the tests of this package do with a port: plain JavaScript, because child processes and workers import it too.
import { Operation } from 'bufferevent-backend';
import { epollBackend } from 'bufferevent-epoll';

/** @typedef {import('bufferevent-backend').Handle} Handle */
/** @typedef {import('bufferevent-backend').Lease} Lease */

const loopback = { ip: '127.0.0.1', port: 0 };

/** A port whose completions can be awaited, and into whose sink a call can be put. */
export class Stage {
  /** @type {Map<string, number>} */
  #arrived = new Map();
  /** @type {Map<string, (result: number) => void>} */
  #waiting = new Map();
  /** @type {(() => void) | null} */
  #inSink = null;
  /**
   * What was received and not given back.
   * @type {{ handle: Handle, lease: Lease, memory: Uint8Array, start: number, end: number }[]}
   */
  received = [];
  /** Otherwise what is received is given back in the sink, as by who has no use for it any more. */
  keepsReceived = true;

  /** @type {import('bufferevent-epoll').EpollPort} */
  port = epollBackend.createPort((batch) => {
    const action = this.#inSink;
    this.#inSink = null;
    action?.();
    for (let index = 0; index < batch.length; index++) {
      const operation = batch.operation(index);
      const result = batch.result(index);
      if (operation === Operation.recv && result > 0) {
        const start = batch.start(index);
        const lease = batch.lease(index);
        if (!this.keepsReceived) this.port.release(lease);
        else
          this.received.push({
            handle: batch.handle(index),
            lease,
            memory: batch.memory(index),
            start,
            end: start + result,
          });
      }
      const key = `${batch.handle(index)}:${operation}`;
      const waiter = this.#waiting.get(key);
      this.#waiting.delete(key);
      if (waiter === undefined) this.#arrived.set(key, result);
      else waiter(result);
    }
  });

  /**
   * @param {Handle} handle
   * @param {Operation} operation
   * @returns {Promise<number>}
   */
  taken(handle, operation) {
    const key = `${handle}:${operation}`;
    if (!this.#arrived.has(key)) return new Promise((resolve) => this.#waiting.set(key, resolve));
    const result = this.#arrived.get(key);
    this.#arrived.delete(key);
    return Promise.resolve(result);
  }

  /**
   * Calls `action` in the sink, before it looks at anything.
   * @param {() => void} action
   */
  inSink(action) {
    this.#inSink = action;
    this.port.listen(loopback);
  }

  /** @param {import('bufferevent-backend').ListenOptions} [options] */
  async listening(options) {
    const listener = this.port.listen(loopback, options);
    await this.taken(listener, Operation.listen);
    return listener;
  }

  async pair() {
    const listener = await this.listening();
    this.port.accept(listener, 1);
    const left = this.port.connect(this.port.address(listener).local);
    await this.taken(left, Operation.connect);
    return { left, right: await this.taken(listener, Operation.accept) };
  }

  /** Lets everything that was submitted happen as far as it can. */
  async turn() {
    const listener = await this.listening();
    this.port.close(listener);
    await this.taken(listener, Operation.close);
  }
}
