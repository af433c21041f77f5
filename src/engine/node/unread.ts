import { readSync, writeSync } from 'node:fs'
import type net from 'node:net'
import { NO_BYTES } from '../../base/copy-bytes.js'

const CHUNK_BYTES = 65_536

/** What a connection had received, and whether end-of-file came behind it. */
export interface Unread {
  readonly chunks: Uint8Array[]
  readonly hasEnd: boolean
}

/**
 * Reads what the kernel holds of a connection that a failed write has found to be over. Node is about to close it, and
 * drops these bytes; the descriptor is the one way to them.
 */
export function readUnread (raw: net.Socket): Unread {
  const fd = descriptorOf(raw)
  const chunks: Uint8Array[] = []
  if (fd < 0) return { chunks, hasEnd: false }
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

/**
 * The reset behind end-of-file: libuv reports one where a reset follows data. A write of nothing finds it: it fails
 * with ECONNRESET, whether or not this side has half-closed and however full the send buffer is. null: there is none.
 */
export function findReset (raw: net.Socket): NodeJS.ErrnoException | null {
  const fd = descriptorOf(raw)
  if (fd < 0) return null
  try {
    writeSync(fd, NO_BYTES)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ECONNRESET') return error as NodeJS.ErrnoException
  }
  return null
}

function descriptorOf (raw: net.Socket): number {
  return (raw as unknown as { _handle?: { fd?: number } | null })._handle?.fd ?? -1
}
