import { checkStreamOption, type Handle, type OptionNames, type Port, type StreamOptions } from 'bufferevent-backend';
import { BuffereventError } from './errors.js';
import type { EventBase } from './event-base.js';

/** Options that every connection of a listener, or the one of a `connect()`, has from the start. */
export type InitialStreamOptions = Readonly<Partial<StreamOptions>>;

type Setting = readonly [name: keyof StreamOptions, value: StreamOptions[keyof StreamOptions]];

/** @internal */
export const streamOptionNames: OptionNames<StreamOptions> = {
  noDelay: true,
  keepAlive: true,
  recvBufferSize: true,
  sendBufferSize: true,
};

const names = Object.keys(streamOptionNames) as (keyof StreamOptions)[];

/** @internal Stream options that were checked, to be applied to any number of streams. */
export class StreamSettings {
  readonly #settings: readonly Setting[];

  private constructor(settings: readonly Setting[]) {
    this.#settings = settings;
  }

  /**
   * Throws `TypeError`/`RangeError` for values that are none, and `ERR_BUFFEREVENT_UNSUPPORTED` for options that the
   * backend of the base does not offer.
   */
  static of(base: EventBase, options: InitialStreamOptions): StreamSettings | null {
    const settings: Setting[] = [];
    for (const name of names) {
      const value = options[name];
      if (value === undefined) continue;
      checkStreamOption(name, value, name);
      if (!base.backend.supports.streamOptions.includes(name)) {
        throw new BuffereventError(
          'ERR_BUFFEREVENT_UNSUPPORTED',
          `backend ${base.backend.name} does not offer the option ${name}`,
        );
      }
      settings.push([name, value]);
    }
    return settings.length === 0 ? null : new StreamSettings(settings);
  }

  /** What the system refuses is left as it is: sockets of the Unix domain know no Nagle, and what is gone fails anyhow. */
  apply(port: Port, stream: Handle): void {
    for (const [name, value] of this.#settings) port.setOption(stream, name, value);
  }
}
