import type { Evbuffer } from 'evbuffer';
import type { BuffereventEvent } from '../../events.js';
import type { InsertLayerOptions } from '../../insert-layer-options.js';
import type { FlushMode, Layer } from '../../layer.js';
import { type BrokenFake, brokenFake } from './fake.js';
import { Fault } from './fault.js';

/** A layer with one of its calls changed, and all others as they are. */
function changed(layer: Layer, change: Partial<Layer>): Layer {
  return new Proxy(layer, {
    get(target, name) {
      const owner: object = Object.hasOwn(change, name) ? change : target;
      const value: unknown = Reflect.get(owner, name, owner);
      return typeof value === 'function' ? value.bind(owner) : value;
    },
  });
}

class PassesLayerBy extends Fault {
  insertLayer(): Promise<void> {
    return Promise.resolve();
  }
}

class SendsEarlierBytesThroughLayer extends Fault {
  #early: Uint8Array[] = [];

  write(data: string | Uint8Array | Evbuffer): boolean {
    if (data instanceof Uint8Array && this.below.layers.length === 0) {
      this.#early.push(Uint8Array.from(data));
      return true;
    }
    return this.below.write(data);
  }

  insertLayer(layer: Layer, options?: InsertLayerOptions): Promise<void> {
    const opened = this.below.insertLayer(layer, options);
    for (const bytes of this.#early.splice(0)) this.below.write(bytes);
    return opened;
  }
}

class ForgetsHandlers extends Fault {
  insertLayer(layer: Layer, options?: InsertLayerOptions): Promise<void> {
    const opened = this.below.insertLayer(layer, options);
    this.setHandlers(null);
    return opened;
  }
}

class KeepsSurplus extends Fault {
  insertLayer(layer: Layer): Promise<void> {
    return this.below.insertLayer(layer, { surplus: 'keep' });
  }
}

class NeverGivesUpHandshake extends Fault {
  insertLayer(layer: Layer, options?: InsertLayerOptions): Promise<void> {
    return this.below.insertLayer(changed(layer, { handshakeMs: 0 }), options);
  }
}

class TellsHandshakeTwice extends Fault {
  override deliverEvent(event: BuffereventEvent): void {
    super.deliverEvent(event);
    if (event.kind === 'connected') super.deliverEvent(event);
  }
}

class TellsConnectedEarly extends Fault {
  insertLayer(layer: Layer, options?: InsertLayerOptions): Promise<void> {
    const opened = this.below.insertLayer(layer, options);
    setImmediate(() => this.attempt(() => this.deliverEvent({ kind: 'connected' })));
    return opened;
  }
}

class SwallowsLayerErrors extends Fault {
  insertLayer(layer: Layer, options?: InsertLayerOptions): Promise<void> {
    const decode: Layer['decode'] = (source, target, limit, mode) => {
      try {
        return layer.decode(source, target, limit, mode);
      } catch {
        return 'need-more';
      }
    };
    return this.below.insertLayer(changed(layer, { decode }), options);
  }
}

class TakesAnyEndForClean extends Fault {
  insertLayer(layer: Layer, options?: InsertLayerOptions): Promise<void> {
    const decode: Layer['decode'] = (source, target, limit, mode: FlushMode) => {
      if (mode !== 'finished') return layer.decode(source, target, limit, mode);
      source.drain();
      return 'end';
    };
    return this.below.insertLayer(changed(layer, { decode }), options);
  }
}

class LeavesOutEndMarker extends Fault {
  insertLayer(layer: Layer, options?: InsertLayerOptions): Promise<void> {
    return this.below.insertLayer(changed(layer, { end: () => {} }), options);
  }
}

export const layerFakes: readonly BrokenFake[] = [
  brokenFake('B90', 'takes a layer and does not use it', PassesLayerBy),
  brokenFake('B90', 'sends what was written before a layer through it', SendsEarlierBytesThroughLayer),
  brokenFake('B90', 'forgets its handlers when a layer is inserted', ForgetsHandlers),
  brokenFake('B91', 'keeps surplus input whatever the caller says', KeepsSurplus),
  brokenFake('B92', 'waits for a handshake for ever', NeverGivesUpHandshake),
  brokenFake('B92', 'tells the end of a handshake twice', TellsHandshakeTwice),
  brokenFake('B92', 'is connected before its layer is open', TellsConnectedEarly),
  brokenFake('B95', 'overlooks what a layer throws', SwallowsLayerErrors),
  brokenFake('B96', 'takes every end of the transport for that of the layer', TakesAnyEndForClean),
  brokenFake('B97', 'leaves out the end marker of a layer', LeavesOutEndMarker),
];
