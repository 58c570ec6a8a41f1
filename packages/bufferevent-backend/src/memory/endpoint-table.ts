import type { Handle } from '../contract.js';
import { argumentTypeError, BackendError } from '../errors.js';
import { HandleTable } from '../handles.js';
import type { Endpoint } from './endpoint.js';
import { MemoryListener } from './memory-listener.js';
import { MemoryStream } from './memory-stream.js';

/** The streams and listeners of a port by their handles, and what is said to a caller whose handle is none of them. */
export class EndpointTable {
  readonly #handles = new HandleTable<Endpoint>();
  #listeners = 0;

  get streams(): number {
    return this.#handles.size - this.#listeners;
  }

  get listeners(): number {
    return this.#listeners;
  }

  /** Both, also those whose last completion is on its way. */
  get size(): number {
    return this.#handles.size;
  }

  values(): Iterable<Endpoint> {
    return this.#handles.values();
  }

  /** Gives it its handle. */
  add(endpoint: Endpoint): void {
    endpoint.handle = this.#handles.add(endpoint);
    if (endpoint instanceof MemoryListener) this.#listeners++;
  }

  remove(endpoint: Endpoint): void {
    if (this.#handles.remove(endpoint.handle) instanceof MemoryListener) this.#listeners--;
  }

  /** Throws `ERR_BACKEND_STALE_HANDLE` for one that is closed, or was never given out. */
  endpoint(handle: Handle): Endpoint {
    if (typeof handle !== 'number') throw argumentTypeError('handle', 'a number', handle);
    const endpoint = this.#handles.get(handle);
    if (endpoint === undefined || endpoint.closing) {
      throw new BackendError('ERR_BACKEND_STALE_HANDLE', `handle ${handle} is closed, or was never given out`);
    }
    return endpoint;
  }

  /** Throws `TypeError` for a listener, too. */
  stream(handle: Handle): MemoryStream {
    const endpoint = this.endpoint(handle);
    if (!(endpoint instanceof MemoryStream)) throw argumentTypeError('stream', 'the handle of a stream', handle);
    return endpoint;
  }

  /** Throws `TypeError` for a stream, too. */
  listener(handle: Handle): MemoryListener {
    const endpoint = this.endpoint(handle);
    if (!(endpoint instanceof MemoryListener)) throw argumentTypeError('listener', 'the handle of a listener', handle);
    return endpoint;
  }
}
