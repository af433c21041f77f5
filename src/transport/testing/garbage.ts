import { Random } from '../../engine/testing/random.js'
import { encodeHeader } from '../../frame/header.js'
import { FrameType, HEADER_BYTES } from '../../frame/layout.js'
import type { Garbage } from './harness.js'

/** Garbage for a transport over bytes. */
export function garbageBytes (garbage: Garbage): Uint8Array {
  switch (garbage) {
    case 'a frame of unknown type': return header(11, 1, 0, 0)
    case 'a header that announces 4 GiB, and nothing behind it': return header(FrameType.DATA, 1, 0xFFFF_FFFF, 0)
    case 'random bytes': {
      const random = new Random(5)
      return Uint8Array.from({ length: 4096 }, () => random.below(256))
    }
    case 'undefined flags': return header(FrameType.DATA, 1, 1, 2)
    case 'DATA on the control channel': return header(FrameType.DATA, 0, 1, 0)
  }
}

function header (type: number, channelId: number, payloadBytes: number, flags: number): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES)
  encodeHeader(bytes, 0, { type: type as FrameType, channelId, payloadBytes, flags, argument: 0 })
  return bytes
}
