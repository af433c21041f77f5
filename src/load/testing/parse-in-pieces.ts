import { ResponseParser } from '../http/response-parser.js'

export interface Parsed {
  readonly message: { readonly status: number, readonly keepAlive: boolean } | null
  readonly body: Buffer
  readonly error: unknown
}

/**
 * Feeds `bytes`, which are the answer to one request and the end of the connection, cut at the offsets `cuts`. Every
 * piece lies in memory that is overwritten as soon as it has been fed.
 */
export function parseInPieces (
  bytes: Buffer,
  cuts: readonly number[],
  { isHeadRequest = false, isStrict = true } = {}
): Parsed {
  const pieces: Buffer[] = []
  let offset = 0
  let message: Parsed['message'] = null
  const parser = new ResponseParser(
    {
      onBody (view, start, end, bodyOffset) {
        if (bodyOffset !== offset) throw new Error(`Body offset must be ${offset}: it is ${bodyOffset}`)
        offset += end - start
        pieces.push(Buffer.from(view.subarray(start, end)))
      },
      onMessage (status, keepAlive) {
        if (message !== null) throw new Error('A second message was found')
        message = { status, keepAlive }
      }
    },
    isStrict
  )
  const scratch = Buffer.alloc(bytes.length + 8)
  const edges = [...new Set([0, ...cuts.filter((cut) => cut < bytes.length), bytes.length])].sort((a, b) => a - b)
  let error: unknown = null
  try {
    parser.expect(isHeadRequest)
    for (let i = 1; i < edges.length; i++) {
      scratch.fill(0xee)
      const length = bytes.copy(scratch, 0, edges[i - 1], edges[i])
      parser.feed(scratch, length)
    }
    parser.finish()
  } catch (thrown) {
    error = thrown
  }
  return { message, body: Buffer.concat(pieces), error }
}
