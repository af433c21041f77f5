import { BroadcastChannel, type MessagePort, receiveMessageOnPort } from 'node:worker_threads'
import { ErrorCode } from '../base/errors.js'
import { cannotAttach, cannotOffer, SMALLER } from './segment-errors.js'
import { readSegmentHeader, writeSegmentHeader } from './segment-header.js'
import type { Segment, SegmentMemory, SegmentOffer, SegmentRequest } from './segment-memory.js'
import { decodeRequest, decodeTicket, encodeRequest, encodeTicket, newRequest } from './segment-messages.js'
import { checkSegmentSizes, layOut, type SegmentLayout, type SegmentSizes } from './segment-sizes.js'

const KIND = 'shared-array-buffer'
const ONE_PROCESS = 'a SharedArrayBuffer is for threads of one process: run both in one, or use memory of kind memfd'

/**
 * Segments between threads of one process. A SharedArrayBuffer cannot travel through the tunnel's socket, so it goes
 * through a BroadcastChannel whose name only the two sides know: the nonce of the request.
 *
 * @param allocate makes the memory; a RangeError says that there is none.
 */
export function sharedArrayMemory (allocate = (bytes: number) => new SharedArrayBuffer(bytes)): SegmentMemory {
  return {
    kind: KIND,
    check () {},
    request: requestSegment,
    offer: (request, sizes) => offerSegment(request, sizes, allocate)
  }
}

function requestSegment (): SegmentRequest {
  const request = newRequest(KIND)
  // It exists before anybody can read the request, so the segment cannot be posted too early.
  const channel = new BroadcastChannel(nameOf(request.nonce)) as BroadcastChannel & { unref (): void }
  channel.unref()
  // Posting puts the segment into this channel's queue at once. If the loop comes by before `attach` does, it arrives
  // here instead.
  let received: unknown
  channel.onmessage = (event) => { received = (event as { data: unknown }).data }
  let open = true
  const close = (): void => {
    open = false
    channel.close()
  }
  return {
    bytes: encodeRequest(request),
    attach (ticket) {
      if (!open) throw cannotAttach(ErrorCode.CLOSED, 'this request was used or cancelled before: make a new one')
      try {
        const { pid } = decodeTicket(ticket, request)
        if (pid !== process.pid) {
          throw cannotAttach(
            ErrorCode.UNAVAILABLE,
            `host and plugin run in different processes, ${pid} and ${process.pid}, and ${ONE_PROCESS}`
          )
        }
        received ??= (receiveMessageOnPort(channel as unknown as MessagePort) as { message: unknown } | undefined)
          ?.message
        if (received === undefined) {
          throw cannotAttach(
            ErrorCode.UNAVAILABLE,
            `the peer says that it has sent it, and it is not there: ${ONE_PROCESS}`
          )
        }
        if (!(received instanceof SharedArrayBuffer)) {
          throw cannotAttach(ErrorCode.PROTOCOL, 'the peer must send a SharedArrayBuffer: it has sent something else')
        }
        return segmentOf(received, readSegmentHeader(received, request.nonce))
      } finally {
        close()
      }
    },
    cancel: close
  }
}

function offerSegment (
  bytes: Uint8Array,
  sizes: SegmentSizes,
  allocate: (bytes: number) => SharedArrayBuffer
): SegmentOffer {
  const request = decodeRequest(bytes, KIND)
  if (request.pid !== process.pid) {
    throw cannotOffer(
      ErrorCode.UNAVAILABLE,
      `host and plugin run in different processes, ${process.pid} and ${request.pid}, and ${ONE_PROCESS}`
    )
  }
  const layout = layOut(checkSegmentSizes(sizes))
  let buffer: SharedArrayBuffer
  try {
    buffer = allocate(layout.totalBytes)
  } catch (cause) {
    throw cannotOffer(
      ErrorCode.LIMIT,
      `memory is full: there are no ${layout.totalBytes} bytes: ${SMALLER}`,
      cause,
      'segment'
    )
  }
  writeSegmentHeader(buffer, sizes, request.nonce)
  const channel = new BroadcastChannel(nameOf(request.nonce))
  channel.postMessage(buffer)
  channel.close()
  return { segment: segmentOf(buffer, layout), ticket: encodeTicket(KIND, request.nonce), settle () {} }
}

/** Freeing it is the garbage collector's: it knows who can still reach the memory, in all threads. */
function segmentOf (buffer: SharedArrayBuffer, layout: SegmentLayout): Segment {
  return { buffer, layout, free () {} }
}

function nameOf (nonce: Uint8Array): string {
  return `http-tunnel-segment:${Buffer.from(nonce).toString('hex')}`
}
