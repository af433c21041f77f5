import { randomBytes } from 'node:crypto'
import { ErrorCode } from '../base/errors.js'
import { NONCE_BYTES } from './layout.js'
import { cannotAttach, cannotOffer } from './segment-errors.js'
import type { SegmentMemory } from './segment-memory.js'
import { MAX_SEGMENT_BYTES } from './segment-sizes.js'

/**
 * What the two sides tell each other before they share memory, little-endian. A request, from the side that will
 * attach; `nonce` is new each time:
 *
 *      0      1      4        8                        24
 *      +------+------+--------+------------------------+
 *      | kind | 0    | pid    | nonce                  |
 *      | u8   |      | u32    | 16 bytes               |
 *      +------+------+--------+------------------------+
 *
 * A ticket, the answer: the same with the maker's pid and the nonce of the request; of kind memfd also where the file
 * is, and its length:
 *
 *      24       28            32
 *      +--------+-------------+
 *      | fd     | totalBytes  |
 *      | u32    | u32         |
 *      +--------+-------------+
 */
const REQUEST_BYTES = 24
const NONCE_OFFSET = 8
const MEMFD_TICKET_BYTES = 32

export type SegmentKind = SegmentMemory['kind']

const KINDS: Array<SegmentKind | undefined> = [undefined, 'shared-array-buffer', 'memfd']

export interface RequestMessage {
  readonly kind: SegmentKind
  readonly pid: number
  readonly nonce: Uint8Array
}

/** Of kind memfd: the descriptor in the maker's process. */
export interface MemoryFile {
  readonly fd: number
  readonly totalBytes: number
}

/** A request of this process, with a nonce that nobody can guess. */
export function newRequest (kind: SegmentKind): RequestMessage {
  return { kind, pid: process.pid, nonce: randomBytes(NONCE_BYTES) }
}

export function encodeRequest ({ kind, pid, nonce }: RequestMessage): Uint8Array {
  return encode(kind, pid, nonce, REQUEST_BYTES)
}

/**
 * Throws ERR_TUNNEL_PROTOCOL, or ERR_TUNNEL_UNAVAILABLE if the peer wants another kind of memory than this side has.
 */
export function decodeRequest (bytes: Uint8Array, kind: SegmentKind): RequestMessage {
  const invalid = (rule: string) => cannotOffer(ErrorCode.PROTOCOL, rule)
  if (bytes.length !== REQUEST_BYTES) {
    throw invalid(`the peer's request must have ${REQUEST_BYTES} bytes: it has ${bytes.length}`)
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const kindOfPeer = KINDS[view.getUint8(0)]
  const pid = view.getUint32(4, true)
  if (kindOfPeer === undefined) {
    throw invalid(`the peer's request must name a kind of memory, 1 or 2: it names ${view.getUint8(0)}`)
  }
  if ((view.getUint32(0, true) >>> 8) !== 0) throw invalid("the reserved bytes of the peer's request must be 0")
  if (kindOfPeer !== kind) {
    throw cannotOffer(
      ErrorCode.UNAVAILABLE,
      `this side shares a ${kind} and the peer a ${kindOfPeer}: run host and plugin both in threads of one process, ` +
      'or both in processes of their own'
    )
  }
  return { kind, pid, nonce: bytes.slice(NONCE_OFFSET) }
}

/** The answer to a request with this `nonce`. */
export function encodeTicket (kind: SegmentKind, nonce: Uint8Array, file?: MemoryFile): Uint8Array {
  if (file === undefined) return encode(kind, process.pid, nonce, REQUEST_BYTES)
  const ticket = encode(kind, process.pid, nonce, MEMFD_TICKET_BYTES)
  const view = new DataView(ticket.buffer)
  view.setUint32(24, file.fd, true)
  view.setUint32(28, file.totalBytes, true)
  return ticket
}

/** Throws ERR_TUNNEL_PROTOCOL if `bytes` are no answer to `request`. */
export function decodeTicket (
  bytes: Uint8Array,
  request: RequestMessage
): { readonly pid: number; readonly file: MemoryFile } {
  const invalid = (rule: string) => cannotAttach(ErrorCode.PROTOCOL, rule)
  const ticketBytes = request.kind === 'memfd' ? MEMFD_TICKET_BYTES : REQUEST_BYTES
  if (bytes.length !== ticketBytes) {
    throw invalid(`the ticket for a ${request.kind} must have ${ticketBytes} bytes: it has ${bytes.length}`)
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  if (view.getUint32(0, true) !== KINDS.indexOf(request.kind)) {
    throw invalid(`the ticket must be for a ${request.kind}: it begins with ${view.getUint32(0, true)}`)
  }
  if (Buffer.compare(bytes.subarray(NONCE_OFFSET, REQUEST_BYTES), request.nonce) !== 0) {
    throw invalid('the ticket must carry the nonce of this request: it answers another one')
  }
  const pid = view.getUint32(4, true)
  if (request.kind !== 'memfd') return { pid, file: { fd: 0, totalBytes: 0 } }
  const file = { fd: view.getUint32(24, true), totalBytes: view.getUint32(28, true) }
  if (file.totalBytes < 1 || file.totalBytes > MAX_SEGMENT_BYTES) {
    throw invalid(`the segment must have from 1 to ${MAX_SEGMENT_BYTES} bytes: the ticket says ${file.totalBytes}`)
  }
  return { pid, file }
}

function encode (kind: SegmentKind, pid: number, nonce: Uint8Array, bytes: number): Uint8Array<ArrayBuffer> {
  const message = new Uint8Array(bytes)
  const view = new DataView(message.buffer)
  view.setUint8(0, KINDS.indexOf(kind))
  view.setUint32(4, pid, true)
  message.set(nonce, NONCE_OFFSET)
  return message
}
