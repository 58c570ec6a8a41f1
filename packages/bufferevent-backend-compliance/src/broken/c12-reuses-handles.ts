import type {
  Address,
  AddressPair,
  CancellableOperation,
  ConnectOptions,
  Handle,
  ListenOptions,
  Segment,
  StreamOptions,
} from 'bufferevent-backend';
import { Operation } from 'bufferevent-backend';
import { BrokenPort, breakWith, type FakeCompletion, isLast } from './broken-port.js';
import { type BrokenFake, brokenFake } from './fake.js';

const NO_HANDLE = Number.MAX_SAFE_INTEGER;

/** Names a stream by its slot alone, as a descriptor does: the next stream gets the number of the last. */
class SlotPort extends BrokenPort {
  readonly #slots: (Handle | undefined)[] = [];
  readonly #numbers = new Map<Handle, number>();

  override listen(address: Address, options?: ListenOptions): Handle {
    return this.#name(this.below.listen(address, options));
  }

  override connect(address: Address, options?: ConnectOptions): Handle {
    return this.#name(this.below.connect(address, options));
  }

  override adopt(descriptor: number): Handle {
    return this.#name(this.below.adopt(descriptor));
  }

  override accept(listener: Handle, credits: number): void {
    this.below.accept(this.#below(listener), credits);
  }

  override detach(stream: Handle): void {
    this.below.detach(this.#below(stream));
  }

  override recv(stream: Handle, max: number): void {
    this.below.recv(this.#below(stream), max);
  }

  override lowerRecvMax(stream: Handle, max: number): void {
    this.below.lowerRecvMax(this.#below(stream), max);
  }

  override send(stream: Handle, segments: readonly Segment[], count?: number): void {
    this.below.send(this.#below(stream), segments, count);
  }

  override sendFile(stream: Handle, descriptor: number, offset: number, length: number): void {
    this.below.sendFile(this.#below(stream), descriptor, offset, length);
  }

  override shutdown(stream: Handle): void {
    this.below.shutdown(this.#below(stream));
  }

  override watchPeer(stream: Handle): void {
    this.below.watchPeer(this.#below(stream));
  }

  override cancel(handle: Handle, operation: CancellableOperation): void {
    this.below.cancel(this.#below(handle), operation);
  }

  override close(handle: Handle): void {
    this.below.close(this.#below(handle));
  }

  override reset(stream: Handle): void {
    this.below.reset(this.#below(stream));
  }

  override setOption<Name extends keyof StreamOptions>(stream: Handle, name: Name, value: StreamOptions[Name]): number {
    return this.below.setOption(this.#below(stream), name, value);
  }

  override address(handle: Handle): AddressPair {
    return this.below.address(this.#below(handle));
  }

  override descriptor(handle: Handle): number {
    return this.below.descriptor(this.#below(handle));
  }

  override ref(handle?: Handle): void {
    this.below.ref(handle === undefined ? undefined : this.#below(handle));
  }

  override unref(handle?: Handle): void {
    this.below.unref(handle === undefined ? undefined : this.#below(handle));
  }

  protected override receive(completions: readonly FakeCompletion[]): void {
    this.deliver(
      completions.map((one) => {
        const number = this.#numbers.get(one.handle) ?? 0;
        if (isLast(one)) {
          this.#slots[number - 1] = undefined;
          this.#numbers.delete(one.handle);
        }
        const accepted = one.operation === Operation.accept && one.result > 0;
        return { ...one, handle: number, result: accepted ? this.#name(one.result) : one.result };
      }),
    );
  }

  #name(below: Handle): Handle {
    const free = this.#slots.indexOf(undefined);
    const slot = free < 0 ? this.#slots.length : free;
    this.#slots[slot] = below;
    this.#numbers.set(below, slot + 1);
    return slot + 1;
  }

  #below(handle: Handle): Handle {
    return this.#slots[handle - 1] ?? NO_HANDLE;
  }
}

export const reusesHandles: BrokenFake = brokenFake(
  'C12',
  'gives the handle of a closed stream to the next one',
  breakWith(SlotPort),
);
