import { ErrorCode, TunnelError } from '../base/errors.js'
import {
  CONTROL_CHANNEL_ID, FrameFlag, FrameType, GOAWAY_MAX_BYTES, HEADER_BYTES,
  HeaderOffset, HELLO_MAX_BYTES, OPEN_MAX_BYTES, Reason
} from './layout.js'

export interface FrameHeader {
  payloadBytes: number
  channelId: number
  type: FrameType
  flags: number
  argument: number
}

const TYPE_NAMES = Object.fromEntries(Object.entries(FrameType).map(([name, type]) => [type, name]))

const REASON_NAMES = Object.fromEntries(Object.entries(Reason).map(([name, reason]) => [reason, name]))

const REASON_MAX = Math.max(...Object.values(Reason))

export function frameTypeName (type: number): string {
  return TYPE_NAMES[type] ?? `type ${type}`
}

export function reasonName (reason: Reason): string {
  return REASON_NAMES[reason]!
}

export function emptyHeader (): FrameHeader {
  return { payloadBytes: 0, channelId: 0, type: FrameType.PING, flags: 0, argument: 0 }
}

/** Writes a header at `offset`. Values are the caller's own and not checked; see `decodeHeader()` for the rules. */
export function encodeHeader (target: Uint8Array, offset: number, header: Readonly<FrameHeader>): void {
  writeU32(target, offset + HeaderOffset.PAYLOAD_BYTES, header.payloadBytes)
  writeU32(target, offset + HeaderOffset.CHANNEL_ID, header.channelId)
  target[offset + HeaderOffset.TYPE] = header.type
  target[offset + HeaderOffset.FLAGS] = header.flags
  target[offset + HeaderOffset.RESERVED] = 0
  target[offset + HeaderOffset.RESERVED + 1] = 0
  writeU32(target, offset + HeaderOffset.ARGUMENT, header.argument)
}

/**
 * Reads the header at `offset` into `into`. The bytes are a peer's: whatever breaks the drawing in `layout.ts`, or
 * announces more payload than `maxPayloadBytes`, throws ERR_TUNNEL_PROTOCOL before anything is allocated for it.
 */
export function decodeHeader (source: Uint8Array, offset: number, maxPayloadBytes: number, into: FrameHeader): void {
  const payloadBytes = readU32(source, offset + HeaderOffset.PAYLOAD_BYTES)
  const channelId = readU32(source, offset + HeaderOffset.CHANNEL_ID)
  const type = source[offset + HeaderOffset.TYPE]!
  const flags = source[offset + HeaderOffset.FLAGS]!
  const argument = readU32(source, offset + HeaderOffset.ARGUMENT)

  const maximum = maxPayloadOf(type, maxPayloadBytes)
  if (maximum < 0) throw invalid(`type must be 1 to 10: it is ${type}`)
  if (payloadBytes > maximum) {
    throw invalid(`payload of ${frameTypeName(type)} must be at most ${maximum} bytes: it is ${payloadBytes}`)
  }
  if (source[offset + HeaderOffset.RESERVED] !== 0 || source[offset + HeaderOffset.RESERVED + 1] !== 0) {
    throw invalid(`reserved bytes of ${frameTypeName(type)} must be 0`)
  }
  if ((flags & ~(type === FrameType.DATA ? FrameFlag.EOS : 0)) !== 0) {
    throw invalid(`flags of ${frameTypeName(type)} must be defined ones: they are ${flags}`)
  }
  const isControl = type === FrameType.HELLO || type >= FrameType.PING
  if (isControl !== (channelId === CONTROL_CHANNEL_ID)) {
    throw invalid(
      `${frameTypeName(type)} must ${isControl ? 'be on channel 0' : 'name a channel'}: its channel is ${channelId}`
    )
  }
  if (type === FrameType.DATA && payloadBytes === 0 && flags === 0) {
    throw invalid('DATA without EOS must carry a payload: it is empty')
  }
  const brokenRule = ruleOfArgument(type, argument)
  if (brokenRule !== null) throw invalid(`${brokenRule}: the argument of this ${frameTypeName(type)} is ${argument}`)

  into.payloadBytes = payloadBytes
  into.channelId = channelId
  into.type = type as FrameType
  into.flags = flags
  into.argument = argument
}

/** The most payload a frame of `type` may carry, or -1 for an unknown type. */
function maxPayloadOf (type: number, maxPayloadBytes: number): number {
  switch (type) {
    case FrameType.DATA: return maxPayloadBytes
    case FrameType.HELLO: return HELLO_MAX_BYTES
    case FrameType.OPEN: return OPEN_MAX_BYTES
    case FrameType.GOAWAY: return GOAWAY_MAX_BYTES
    default: return type >= FrameType.HELLO && type <= FrameType.GOAWAY ? 0 : -1
  }
}

/** The rule that `argument` breaks, or null. */
function ruleOfArgument (type: number, argument: number): string | null {
  switch (type) {
    case FrameType.CREDIT: return argument > 0 ? null : 'CREDIT must grant at least 1 byte'
    case FrameType.REJECT:
    case FrameType.RESET:
    case FrameType.GOAWAY: return argument <= REASON_MAX ? null : `a reason must be 0 to ${REASON_MAX}`
    case FrameType.PING:
    case FrameType.PONG: return null
    default: return argument === 0 ? null : 'an argument that means nothing must be 0'
  }
}

function invalid (rule: string): TunnelError {
  return new TunnelError(ErrorCode.PROTOCOL, `Cannot decode frame header of ${HEADER_BYTES} bytes: ${rule}`)
}

function writeU32 (target: Uint8Array, offset: number, value: number): void {
  target[offset] = value
  target[offset + 1] = value >>> 8
  target[offset + 2] = value >>> 16
  target[offset + 3] = value >>> 24
}

function readU32 (source: Uint8Array, offset: number): number {
  return (source[offset]! | source[offset + 1]! << 8 | source[offset + 2]! << 16 | source[offset + 3]! << 24) >>> 0
}
