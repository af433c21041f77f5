import { createHash } from 'node:crypto'
import http from 'node:http'

export interface Answer {
  readonly status: number
  /** Without `Date`, which differs from second to second. */
  readonly headers: string[]
  readonly body: Buffer
  /** `100 Continue` came first. */
  readonly continued: boolean
}

export interface RequestOptions {
  readonly method?: string
  readonly headers?: http.OutgoingHttpHeaders
  readonly agent?: http.Agent | undefined
  /** Written in these pieces; more than one without Content-Length is a chunked body. */
  readonly body?: Iterable<Uint8Array>
}

/**
 * One request to a TCP port or the path of a Unix socket; without an agent on a connection of its own. Rejects as
 * node:http does.
 */
export function request (
  to: number | string,
  path: string,
  { method = 'GET', headers = {}, agent, body }: RequestOptions = {}
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let continued = false
    const req = http.request(
      {
        ...(typeof to === 'number' ? { host: '127.0.0.1', port: to } : { socketPath: to }),
        path,
        method,
        headers,
        agent: agent ?? false
      },
      (res) => {
        const chunks: Uint8Array[] = []
        res.on('data', (chunk: Uint8Array) => {
          chunks.push(chunk)
        })
        res.on('error', reject)
        res.on('end', () => {
          resolve({
            status: res.statusCode!,
            headers: withoutDate(res.rawHeaders),
            body: Buffer.concat(chunks),
            continued
          })
        })
      }
    )
    req.on('error', reject)
    const send = () => {
      for (const piece of body ?? []) req.write(piece)
      req.end()
    }
    if (headers.Expect === undefined) return send()
    req.flushHeaders()
    req.on('continue', () => {
      continued = true
      send()
    })
  })
}

export function sha256 (bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

function withoutDate (raw: readonly string[]): string[] {
  const headers: string[] = []
  for (let i = 0; i < raw.length; i += 2) if (raw[i]!.toLowerCase() !== 'date') headers.push(`${raw[i]}: ${raw[i + 1]}`)
  return headers
}
