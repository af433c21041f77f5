import { readSync } from 'node:fs'
import type net from 'node:net'

const CHUNK_BYTES = 65_536

/** What a connection had received, and whether end-of-file came behind it. */
export interface Unread {
  readonly chunks: Uint8Array[]
  readonly hasEnd: boolean
}

/**
 * Reads what the kernel holds of a connection that a failed write has found to be over. Node is about to close it, and drops these
 * bytes; the descriptor is the one way to them.
 */
export function readUnread (raw: net.Socket): Unread {
  const fd = (raw as unknown as { _handle?: { fd?: number } | null })._handle?.fd
  const chunks: Uint8Array[] = []
  if (fd === undefined || fd < 0) return { chunks, hasEnd: false }
  try {
    for (;;) {
      const chunk = new Uint8Array(CHUNK_BYTES)
      const bytes = readSync(fd, chunk)
      if (bytes === 0) return { chunks, hasEnd: true }
      chunks.push(chunk.subarray(0, bytes))
    }
  } catch {
    // The reset itself, or nothing more to read.
    return { chunks, hasEnd: false }
  }
}
