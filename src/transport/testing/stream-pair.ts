import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { unixAddress } from '../../base/address.js'
import type { Engine } from '../../engine/engine.js'
import { deferred } from '../../engine/testing/rig.js'
import { StreamTransport } from '../stream/stream-transport.js'
import type { PairOptions, TransportPair } from './harness.js'
import { other } from './link.js'
import { garbageBytes } from './garbage.js'
import { RiggedEngine, type RiggedSocket } from './rigged-engine.js'

export interface StreamPair extends TransportPair {
  readonly sockets: { readonly a: RiggedSocket, readonly b: RiggedSocket }
}

/** Two stream transports over a real Unix socket: `a` connected, `b` accepted. */
export async function makeStreamPair (
  createEngine: () => Engine,
  { pieceBytes }: PairOptions = {}
): Promise<StreamPair> {
  const engine = new RiggedEngine(createEngine(), pieceBytes)
  const directory = mkdtempSync(join(tmpdir(), 'stream-'))
  const accepted = deferred<StreamTransport>()
  const listener = await engine.listen(unixAddress(join(directory, 's')), (socket) => {
    accepted.resolve(StreamTransport.accept(socket))
  })
  const a = StreamTransport.connect(engine, listener.address, 0)
  const b = await accepted.promise
  const [connecting, accepting] = engine.sockets
  const sockets = { a: connecting!, b: accepting! }
  return {
    a,
    b,
    sockets,
    kill (side) {
      sockets[side].socket.abort()
    },
    sendGarbage (to, garbage) {
      sockets[other(to)].inject(garbageBytes(garbage))
    },
    stopReading (side) {
      sockets[side].stopReading()
    },
    resumeReading (side) {
      sockets[side].resumeReading()
    },
    async free () {
      await listener.close()
      rmSync(directory, { recursive: true })
    }
  }
}
