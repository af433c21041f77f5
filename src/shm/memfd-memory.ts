import { closeSync } from 'node:fs'
import { ErrorCode, TunnelError } from '../base/errors.js'
import { loadSystemCalls, type SystemCalls } from '../native/system-calls.js'
import { mapSegment } from './mapped-segment.js'
import { createMemoryFile, openMemoryFile } from './memory-file.js'
import { cannotAttach, cannotOffer, ELSEWHERE } from './segment-errors.js'
import { readSegmentHeader, writeSegmentHeader } from './segment-header.js'
import type { Segment, SegmentMemory, SegmentOffer, SegmentRequest } from './segment-memory.js'
import { decodeRequest, decodeTicket, encodeRequest, encodeTicket, newRequest } from './segment-messages.js'
import { checkSegmentSizes, layOut, SizeLimit, type SegmentSizes } from './segment-sizes.js'

const KIND = 'memfd'

/** The smallest segment there is, for `check`. */
const TRIAL_SIZES: SegmentSizes = {
  slotBytes: SizeLimit.slotBytes[0],
  slots: SizeLimit.slots[0],
  ringEntries: SizeLimit.ringEntries[0],
  inlineBytes: SizeLimit.inlineBytes[0],
  constantBytes: SizeLimit.constantBytes[0]
}

/**
 * Segments between processes of one user on one Linux machine: a sealed file in memory that the peer opens through
 * /proc. It has no name that could stay behind: the memory is gone with the last process that maps it.
 *
 * @param calls makes the system calls; throws ERR_TUNNEL_UNAVAILABLE where there are none.
 */
export function memfdMemory (calls: () => SystemCalls = systemCalls): SegmentMemory {
  return {
    kind: KIND,
    check () {
      try {
        const { segment, settle } = offerSegment(calls(), encodeRequest(newRequest(KIND)), TRIAL_SIZES)
        settle()
        segment.free()
      } catch (error) {
        if (!(error instanceof TunnelError)) throw error
        throw new TunnelError(ErrorCode.UNAVAILABLE, error.message, { cause: error, cure: error.cure })
      }
    },
    request: () => requestSegment(calls()),
    offer: (request, sizes) => offerSegment(calls(), request, sizes)
  }
}

function systemCalls (): SystemCalls {
  try {
    return loadSystemCalls()
  } catch (error) {
    const { code, message } = error as TunnelError
    throw new TunnelError(code, `${message}: ${ELSEWHERE}`, { cause: error, cure: 'transport' })
  }
}

function requestSegment (calls: SystemCalls): SegmentRequest {
  const request = newRequest(KIND)
  let open = true
  return {
    bytes: encodeRequest(request),
    attach (bytes) {
      if (!open) throw cannotAttach(ErrorCode.CLOSED, 'this request was used or cancelled before: make a new one')
      open = false
      const { pid, file } = decodeTicket(bytes, request)
      const fd = openMemoryFile(calls, pid, file.fd, file.totalBytes)
      try {
        return mapSegment(
          calls,
          fd,
          file.totalBytes,
          (buffer) => readSegmentHeader(buffer, request.nonce),
          cannotAttach
        )
      } finally {
        closeSync(fd)
      }
    },
    cancel () { open = false }
  }
}

function offerSegment (calls: SystemCalls, bytes: Uint8Array, sizes: SegmentSizes): SegmentOffer {
  const { nonce } = decodeRequest(bytes, KIND)
  const layout = layOut(checkSegmentSizes(sizes))
  const fd = createMemoryFile(calls, layout.totalBytes)
  let open = true
  const settle = (): void => {
    if (open) calls.close(fd)
    open = false
  }
  try {
    const segment: Segment = mapSegment(calls, fd, layout.totalBytes, (buffer) => {
      writeSegmentHeader(buffer, sizes, nonce)
      return layout
    }, cannotOffer)
    return { segment, ticket: encodeTicket(KIND, nonce, { fd, totalBytes: layout.totalBytes }), settle }
  } catch (error) {
    settle()
    throw error
  }
}
