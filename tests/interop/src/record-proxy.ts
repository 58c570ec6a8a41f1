import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** One record of TLS on its way, or what takes its place. */
export interface PassingRecord {
  readonly to: 'server' | 'client';
  /** Counted from 0, in this direction. */
  readonly index: number;
  /** The type of its content: 20 change of cipher, 21 alert, 22 handshake, 23 data (and everything hidden in it). */
  readonly type: number;
  readonly bytes: Buffer;
}

/**
 * What becomes of a record: `pass`; bytes that go on in its place; `hold`, so that nothing ever comes any more in this
 * direction; `end`, both connections end in order (FIN) before it; `reset`, both are reset before it.
 */
export type Judgement = 'pass' | 'hold' | 'end' | 'reset' | Uint8Array;

export interface RecordProxy extends AsyncDisposable {
  readonly port: number;
  /** Ends all connections in order, without a word of TLS, or resets them. */
  cut(how: 'end' | 'reset'): void;
}

const HEADER_BYTES = 5;

/** Sits between a client and a server on loopback, sees records, and does as it is told with each. */
export async function startRecordProxy(
  serverPort: number,
  judge: (record: PassingRecord) => Judgement = () => 'pass',
): Promise<RecordProxy> {
  const sockets = new Set<Socket>();
  const proxy = createServer({ allowHalfOpen: true }, (client) => {
    const server = connect({ port: serverPort, host: '127.0.0.1', allowHalfOpen: true });
    for (const socket of [client, server]) {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
      // Its end is seen by the other side of it.
      socket.on('error', () => {});
    }
    pass(client, server, 'server', judge);
    pass(server, client, 'client', judge);
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  return {
    port: (proxy.address() as AddressInfo).port,
    cut(how) {
      for (const socket of sockets) {
        if (how === 'end') socket.end();
        else socket.resetAndDestroy();
      }
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      proxy.close();
    },
  };
}

function pass(
  source: Socket,
  target: Socket,
  to: PassingRecord['to'],
  judge: (record: PassingRecord) => Judgement,
): void {
  let gathered = Buffer.alloc(0);
  let index = 0;
  let isOver = false;
  source.on('data', (chunk) => {
    gathered = Buffer.concat([gathered, chunk]);
    while (!isOver && gathered.length >= HEADER_BYTES) {
      const length = HEADER_BYTES + gathered.readUInt16BE(3);
      if (gathered.length < length) return;
      const bytes = gathered.subarray(0, length);
      gathered = gathered.subarray(length);
      const judgement = judge({ to, index, type: bytes[0] as number, bytes });
      index++;
      if (judgement === 'pass') target.write(bytes);
      else if (judgement instanceof Uint8Array) target.write(judgement);
      else {
        isOver = true;
        if (judgement === 'hold') return;
        for (const socket of [source, target]) {
          if (judgement === 'end') socket.end();
          else socket.resetAndDestroy();
        }
      }
    }
  });
  source.on('end', () => {
    if (!isOver) target.end();
  });
  source.on('close', () => {
    if (source.errored !== null && !target.destroyed) target.resetAndDestroy();
  });
}
