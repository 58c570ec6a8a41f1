import type { Bufferevent, BuffereventEvent, BuffereventHandlers } from 'bufferevent';

// A connection is in one of three states, each a handlers object that all connections share:
//
//   flowing ── write() says "enough" ──► blocked ── output is taken by the system ──► flowing
//      └────────── the peer ended, or was silent for too long ──► ending ◄──────────────┘
//                 the peer took nothing for too long ──► freed: what is left will not leave any more
//
// `write(bev.input)` moves the received memory to the output; no byte is copied. While blocked nothing is moved, so that
// the input fills up to its high watermark, reading stops, and the peer feels it: a peer that never reads costs the two
// watermarks and no more.

export const flowing: BuffereventHandlers = {
  onRead(bev) {
    if (!bev.write(bev.input)) bev.setHandlers(blocked);
  },
  onEvent,
};

const blocked: BuffereventHandlers = {
  onWrite(bev) {
    if (bev.write(bev.input)) bev.setHandlers(flowing);
  },
  onEvent,
};

function onEvent(bev: Bufferevent, event: BuffereventEvent): void {
  if (event.kind === 'timeout' && event.timeout === 'write') bev.free();
  else if (event.kind === 'eof' || (event.kind === 'timeout' && event.timeout === 'read')) endAfterEcho(bev);
}

/** Echoes what is still held (at most the high watermark), then says goodbye; what comes later is not echoed. */
export function endAfterEcho(bev: Bufferevent): void {
  if (bev.freed || bev.handlers === null) return; // Ending already.
  bev.write(bev.input);
  bev.setHandlers(null);
  void bev.end();
}
