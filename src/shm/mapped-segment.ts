import { getSystemErrorName } from 'node:util'
import { ErrorCode } from '../base/errors.js'
import { isMapped, Linux, type SystemCalls } from '../native/system-calls.js'
import { isPassing } from './memory-file.js'
import { type cannotAttach, ELSEWHERE, SMALLER } from './segment-errors.js'
import type { Segment } from './segment-memory.js'
import type { SegmentLayout } from './segment-sizes.js'

const READ_WRITE = Linux.PROT_READ | Linux.PROT_WRITE

interface AddressRange {
  readonly calls: SystemCalls
  readonly address: bigint
  readonly bytes: number
}

/**
 * Unmaps the addresses of a buffer that nothing can reach any more. No earlier: a view of unmapped memory ends the
 * process when it is touched, and an address that is used again must not have two buffers. Where a thread ends first
 * the range stays until the process does.
 */
const unreachable = new FinalizationRegistry<AddressRange>(({ calls, address, bytes }) => {
  calls.munmap(address, bytes)
})

/**
 * Maps `bytes` of the memory file `fd`. `prepare` writes or checks the header; if it throws, nothing of the memory
 * stays mapped. The descriptor is the
 * caller's to close, at any time. Throws ERR_TUNNEL_UNAVAILABLE or ERR_TUNNEL_LIMIT through `failure`.
 */
export function mapSegment (
  calls: SystemCalls,
  fd: number,
  bytes: number,
  prepare: (buffer: ArrayBuffer) => SegmentLayout,
  failure: typeof cannotAttach
): Segment {
  const address = calls.mmap(null, bytes, READ_WRITE, Linux.MAP_SHARED, fd, 0)
  if (!isMapped(address)) {
    const name = getSystemErrorName(-calls.errno())
    const code = isPassing(name) ? ErrorCode.LIMIT : ErrorCode.UNAVAILABLE
    throw failure(code, `its ${bytes} bytes cannot be mapped (${name}): ${SMALLER}`, undefined, 'segment')
  }
  const range = { calls, address, bytes }
  const buffer = viewOf(range, failure)
  unreachable.register(buffer, range)
  try {
    return new MappedSegment(buffer, prepare(buffer), range)
  } catch (error) {
    letGo(range)
    throw error
  }
}

/** The object holds its buffer, so that its addresses are its own for as long as `free` can be called. */
class MappedSegment implements Segment {
  readonly buffer: ArrayBuffer
  readonly layout: SegmentLayout
  readonly #range: AddressRange

  constructor (buffer: ArrayBuffer, layout: SegmentLayout, range: AddressRange) {
    this.buffer = buffer
    this.layout = layout
    this.#range = range
  }

  free (): void {
    letGo(this.#range)
  }
}

/**
 * Puts empty private pages in the place of the shared ones, in one step. They cost nothing while nobody touches them.
 * If the system has no
 * room for even that, the shared pages stay until the buffer is unreachable.
 */
function letGo ({ calls, address, bytes }: AddressRange): void {
  calls.mmap(
    address,
    bytes,
    READ_WRITE,
    Linux.MAP_FIXED | Linux.MAP_PRIVATE | Linux.MAP_ANONYMOUS | Linux.MAP_NORESERVE,
    -1,
    0
  )
}

/** Nothing stays mapped where it throws. */
function viewOf ({ calls, address, bytes }: AddressRange, failure: typeof cannotAttach): ArrayBuffer {
  try {
    return calls.view(address, bytes)
  } catch (cause) {
    calls.munmap(address, bytes)
    throw failure(ErrorCode.UNAVAILABLE,
      `this runtime forbids buffers over mapped memory (${(cause as Error).message}): ${ELSEWHERE}`, cause, 'transport')
  }
}
