// Noticing the peer's close while reading rests (RD-7, user-pain D2).
import { describe, expect, it } from 'vitest';
import { socketsWith } from './support/system-backends.js';
import { failure } from './support/wait.js';
import { inBothMemories, inWorlds } from './support/world.js';

describe('watchPeer', () => {
  inWorlds(['memory', 'memory with faults', ...socketsWith('peerClose')], (world) => {
    it('tells once that the peer has closed while reading is disabled; its bytes are still there (RD-7)', async () => {
      const { bev, peer } = await world.accepted(world.record('server'), { enable: ['write'] });
      bev.watchPeer = true;
      if (world.isMemory) await world.settle();
      peer.send('last words');
      if (world.isMemory) await world.settle();
      expect(world.log).toEqual([]);
      peer.end();
      await world.until(() => world.log.length > 0, 'the close to be noticed');
      if (world.isMemory) await world.settle();
      expect(world.log).toEqual(['server peer-closed']);
      bev.enable('read');
      await world.until(() => world.log.includes('server eof'), 'the end');
      expect(bev.input.toString()).toBe('last words');
      expect(world.log.filter((line) => line.includes('peer-closed'))).toHaveLength(1);
    });

    it('watches while a full input suspends reading, and stops while reading goes on', async () => {
      const { bev, peer } = await world.accepted(world.record('server'));
      bev.setWatermarks('read', { high: 4 });
      bev.watchPeer = true;
      peer.send('12345678');
      peer.end();
      await world.until(() => world.log.includes('server peer-closed'), 'the close to be noticed');
      expect(bev.input.length).toBe(4);
      bev.input.drain();
      await world.until(() => bev.input.length === 4, 'the rest');
      expect(world.log.at(-1)).not.toBe('server eof');
      bev.input.drain();
      await world.until(() => world.log.includes('server eof'), 'the end');
    });

    it('tells a reset of a peer that is not read as an error', async () => {
      const { bev, peer } = await world.accepted(world.record('server'), { enable: ['write'] });
      bev.watchPeer = true;
      if (world.isMemory) await world.settle();
      peer.reset();
      await world.until(() => world.log.length > 0, 'the reset');
      expect(world.log).toEqual(['server error ECONNRESET read']);
    });
  });

  inBothMemories((world) => {
    it('says nothing of a peer that goes on, nor when it was switched off again', async () => {
      const { bev, peer } = await world.accepted(world.record('server'), { enable: ['write'] });
      for (let i = 0; i < 5; i++) {
        bev.watchPeer = i % 2 === 0;
        bev.enable('read');
        await world.settle();
        bev.disable('read');
        await world.settle();
      }
      bev.watchPeer = false;
      await world.settle();
      peer.end();
      await world.settle();
      expect(world.log).toEqual([]);
    });
  });

  inWorlds(['net'], (world) => {
    it('is refused where the backend can not', async () => {
      const { bev } = await world.accepted({});
      const error = await failure(() => {
        bev.watchPeer = true;
      });
      expect(error.code).toBe('ERR_BUFFEREVENT_UNSUPPORTED');
      expect(bev.watchPeer).toBe(false);
    });
  });
});
