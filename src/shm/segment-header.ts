import { ErrorCode, type TunnelError } from '../base/errors.js'
import { SEGMENT_MAGIC, SEGMENT_VERSION, NONCE_BYTES, SegmentOffset, WordOffset } from './layout.js'
import { cannotAttach } from './segment-errors.js'
import { checkSegmentSizes, layOut, type SegmentLayout, type SegmentSizes } from './segment-sizes.js'

const HEADER_BYTES = WordOffset.HOST_WAIT

/**
 * Writes the header of a new segment, all of whose bytes are 0 and which has exactly the bytes that `sizes` (checked)
 * ask for. `nonce` (16 bytes) names the one peer it was made for. The magic comes last: whoever sees it sees the rest.
 */
export function writeSegmentHeader (buffer: ArrayBufferLike, sizes: SegmentSizes, nonce: Uint8Array): void {
  const view = new DataView(buffer, 0, HEADER_BYTES)
  view.setUint32(SegmentOffset.VERSION, SEGMENT_VERSION, true)
  view.setUint32(SegmentOffset.SLOT_BYTES, sizes.slotBytes, true)
  view.setUint32(SegmentOffset.SLOTS, sizes.slots, true)
  view.setUint32(SegmentOffset.RING_ENTRIES, sizes.ringEntries, true)
  view.setUint32(SegmentOffset.INLINE_BYTES, sizes.inlineBytes, true)
  view.setUint32(SegmentOffset.TOTAL_BYTES, buffer.byteLength, true)
  view.setUint32(SegmentOffset.CONSTANT_BYTES, sizes.constantBytes, true)
  new Uint8Array(buffer, SegmentOffset.NONCE, NONCE_BYTES).set(nonce)
  Atomics.store(magicOf(buffer), 0, SEGMENT_MAGIC)
}

/**
 * The layout of a segment that the peer made for `nonce`. The peer may write to it at any time, so each word is read
 * once, and what comes back is this side's own. Throws ERR_TUNNEL_PEER_CLOSED (it is no segment, or another's),
 * ERR_TUNNEL_PROTOCOL or ERR_TUNNEL_VERSION.
 */
export function readSegmentHeader (buffer: ArrayBufferLike, nonce: Uint8Array): SegmentLayout {
  if (buffer.byteLength < HEADER_BYTES) {
    throw invalid(`its header has ${HEADER_BYTES} bytes: the whole segment has ${buffer.byteLength}`)
  }
  if (Atomics.load(magicOf(buffer), 0) !== SEGMENT_MAGIC) {
    throw stale('it must begin with the magic HTSM: whoever made it has not finished it, or it is something else')
  }
  const view = new DataView(buffer, 0, HEADER_BYTES)
  const version = view.getUint32(SegmentOffset.VERSION, true)
  if (version !== SEGMENT_VERSION) {
    throw cannotAttach(
      ErrorCode.VERSION,
      `this side knows version ${SEGMENT_VERSION} of its layout and the peer made version ${version}: run the same ` +
      'version of http-tunnel-bench on both sides'
    )
  }
  if (Buffer.compare(new Uint8Array(buffer, SegmentOffset.NONCE, NONCE_BYTES), nonce) !== 0) {
    throw stale('it must carry the nonce of this request: it was made for another one')
  }
  const sizes = checkSegmentSizes({
    slotBytes: view.getUint32(SegmentOffset.SLOT_BYTES, true),
    slots: view.getUint32(SegmentOffset.SLOTS, true),
    ringEntries: view.getUint32(SegmentOffset.RING_ENTRIES, true),
    inlineBytes: view.getUint32(SegmentOffset.INLINE_BYTES, true),
    constantBytes: view.getUint32(SegmentOffset.CONSTANT_BYTES, true)
  }, invalid)
  const totalBytes = view.getUint32(SegmentOffset.TOTAL_BYTES, true)
  const layout = layOut(sizes)
  if (totalBytes !== layout.totalBytes) {
    throw invalid(`its sizes make ${layout.totalBytes} bytes: its header says ${totalBytes}`)
  }
  if (totalBytes !== buffer.byteLength) {
    throw invalid(`it must have the ${totalBytes} bytes that its header says: it has ${buffer.byteLength}`)
  }
  return layout
}

function magicOf (buffer: ArrayBufferLike): Int32Array {
  return new Int32Array(buffer, SegmentOffset.MAGIC, 1)
}

/** What lies under a descriptor's number after the peer has closed the link, or has gone. */
function stale (rule: string): TunnelError {
  return cannotAttach(ErrorCode.PEER_CLOSED, rule)
}

function invalid (rule: string): TunnelError {
  return cannotAttach(ErrorCode.PROTOCOL, rule)
}
