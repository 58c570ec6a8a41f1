// Time-outs beside what else happens: handlers that take long, errors, free(). B40, B51, B52, B54.
import type { Clock, Timer } from 'bufferevent';
import { ManualClock } from 'bufferevent/testing';
import { Operation } from 'bufferevent-backend';
import { type FaultPlan, withFaults } from 'bufferevent-backend/memory';
import { describe, expect, it } from 'vitest';
import { KiB, pattern } from './support/bytes.js';
import { turns } from './support/wait.js';
import { inMemory, type World } from './support/world.js';

/** A clock by hand on which a handler can take time: as on a real one, no timer fires before the handler is over. */
class BusyClock implements Clock {
  readonly #clock = new ManualClock();
  #busyUntil = 0;

  now(): number {
    return Math.max(this.#clock.now(), this.#busyUntil);
  }

  setTimer(callback: () => void, delayMs: number): Timer {
    return this.#clock.setTimer(callback, this.now() - this.#clock.now() + delayMs);
  }

  defer(callback: () => void): void {
    setImmediate(callback);
  }

  /** To be called by a handler: it takes this long. */
  spend(ms: number): void {
    this.#busyUntil = this.now() + ms;
  }

  /** Lets time pass, the timers missed meanwhile included, and delivers what is due. */
  async advance(ms: number): Promise<void> {
    await turns();
    this.#clock.advance(this.now() - this.#clock.now() + ms);
    await turns();
  }
}

describe('a handler that takes long', () => {
  inMemory((world) => {
    it('TO-2: readMs counts from when reading is tried again', async () => {
      const clock = new BusyClock();
      const { bev, peer } = await world.accepted(world.record('server', { onRead: () => clock.spend(1000) }), {
        base: world.newBase({ clock }),
      });
      bev.setTimeouts({ readMs: 50 });
      await clock.advance(10);
      peer.send('x');
      await clock.advance(0);
      expect(world.log).toEqual(['server read 1']);
      await clock.advance(49);
      expect(world.log).toEqual(['server read 1']);
      await clock.advance(1);
      expect(world.log).toEqual(['server read 1', 'server timeout read']);
    });

    it('TO-3: writeMs counts from when the rest is submitted', async () => {
      const clock = new BusyClock();
      const { bev, peer } = await world.accepted(world.record('server', { onWrite: () => clock.spend(1000) }), {
        base: world.newBase({ clock }),
        enable: ['write'],
      });
      peer.stopReading();
      bev.setWatermarks('write', { low: 100 * KiB, high: 100 * KiB });
      bev.setTimeouts({ writeMs: 50 });
      bev.write(pattern(40 * KiB));
      await clock.advance(0);
      expect(world.log).toEqual(['server write']);
      expect(bev.output.length).toBeGreaterThan(0);
      await clock.advance(49);
      expect(world.log).toEqual(['server write']);
      await clock.advance(1);
      expect(world.log).toEqual(['server write', 'server timeout write']);
    });

    it('TO-2: enable() inside it counts from the call', async () => {
      const clock = new BusyClock();
      const { bev } = await world.accepted(
        world.record('server', {
          onWrite(at) {
            clock.spend(1000);
            at.enable('read');
            clock.spend(20);
          },
        }),
        { base: world.newBase({ clock }), enable: ['read', 'write'] },
      );
      bev.setTimeouts({ readMs: 50 });
      await clock.advance(40);
      bev.trigger('write');
      await clock.advance(0);
      expect(world.log).toEqual(['server write']);
      await clock.advance(29);
      expect(world.log).toEqual(['server write']);
      await clock.advance(1);
      expect(world.log).toEqual(['server write', 'server timeout read']);
    });
  });
});

describe('after an error', () => {
  const cases: Record<string, FaultPlan> = {
    read: { errors: [{ operation: Operation.recv, nth: 2, error: 'ECONNRESET' }] },
    write: { errors: [{ operation: Operation.send, nth: 1, error: 'EPIPE' }] },
  };
  inMemory((world) => {
    for (const [direction, plan] of Object.entries(cases)) {
      it(`B40: in direction ${direction} no idle and no write time-out is delivered any more`, async () => {
        const base = world.newBase({ backend: withFaults(world.plain, plan) });
        const { bev, peer } = await world.accepted(world.record('server'), { base });
        peer.stopReading();
        bev.setTimeouts({ idleMs: 50, writeMs: 50 });
        bev.write(pattern(100 * KiB));
        peer.send('x');
        await world.settle();
        peer.send('y');
        await world.settle();
        expect(world.log.filter((line) => line.includes(' error '))).toHaveLength(1);
        world.log.length = 0;
        for (let round = 0; round < 4; round++) await world.advance(50);
        bev.setTimeouts({ idleMs: 20, writeMs: 20 });
        for (let round = 0; round < 4; round++) await world.advance(50);
        expect(world.log).toEqual([]);
      });
    }
  });
});

describe('after free()', () => {
  /** Frees a connection this many turns after its peer has sent something. */
  async function freeLate(world: World, delay: number, after: number): Promise<void> {
    const base = world.newBase({ backend: withFaults(world.plain, { delay }) });
    const { bev, peer } = await world.accepted(world.record('server'), { base });
    bev.setTimeouts({ readMs: 50, writeMs: 50, idleMs: 50 });
    peer.send('late');
    await turns(after);
    bev.free();
    await world.settle();
    expect(world.clock.pendingTimers, `freed after ${after} turns, delay ${delay}`).toBe(0);
  }

  inMemory((world) => {
    it('TO-7, FR-1: no timer is set any more, although a receive completes afterwards', async () => {
      for (const delay of [0, 2, 5]) {
        for (let after = 0; after < 10; after++) await freeLate(world, delay, after);
      }
    });
  });
});
