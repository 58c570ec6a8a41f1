import type { Address, ConnectOptions, Handle, ListenOptions } from 'bufferevent-backend';
import { BrokenPort, breakWith } from './broken-port.js';
import { type BrokenFake, brokenFake } from './fake.js';

/** Hands whatever it gets to a function of the system that resolves names, and blocks on it. */
class ResolvingPort extends BrokenPort {
  override listen(address: Address, options?: ListenOptions): Handle {
    return this.below.listen(resolved(address), options);
  }

  override connect(address: Address, options?: ConnectOptions): Handle {
    return this.below.connect(resolved(address), options);
  }
}

function resolved(address: Address): Address {
  return typeof address === 'object' && address !== null && 'ip' in address && address.ip === 'localhost'
    ? { ip: '127.0.0.1', port: address.port }
    : address;
}

export const resolvesNames: BrokenFake = brokenFake('C14', 'resolves localhost by itself', breakWith(ResolvingPort));
