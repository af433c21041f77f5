import { once } from 'node:events'
import net from 'node:net'
import { tcpAddress, type Address } from '../../base/address.js'

/** What a raw server does with one request. `index` counts the requests of all connections, from 0. */
export type Answer = (socket: net.Socket, index: number, path: string) => void

export interface RawServer {
  readonly address: Address
  readonly port: number
  /** What it has seen so far. */
  requests: number
  connections: number
  readonly open: ReadonlySet<net.Socket>
  close (): void
}

/** A server that knows where a request ends and nothing else of HTTP: what it answers is up to `answer`. */
export async function startRawServer (answer: Answer): Promise<RawServer> {
  const open = new Set<net.Socket>()
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    raw.connections++
    open.add(socket)
    socket.on('close', () => open.delete(socket)).on('error', () => {}).on('end', () => socket.end())
    let text = ''
    socket.on('data', (bytes) => {
      text += bytes.toString('latin1')
      for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
        const path = text.split(' ', 2)[1] ?? ''
        text = text.slice(end + 4)
        answer(socket, raw.requests++, path)
      }
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as net.AddressInfo
  const raw: RawServer = {
    address: tcpAddress('127.0.0.1', port),
    port,
    requests: 0,
    connections: 0,
    open,
    close () {
      server.close()
      for (const socket of open) socket.destroy()
    }
  }
  return raw
}

/** A port of 127.0.0.1 on which nothing listens. */
export async function refusedAddress (): Promise<Address> {
  const server = await startRawServer(() => {})
  server.close()
  return server.address
}

/** The bytes of a response with a length. */
export function response (body: Uint8Array | string, statusLine = '200 OK', fields = ''): Buffer {
  const bytes = Buffer.from(body)
  return Buffer.concat([
    Buffer.from(`HTTP/1.1 ${statusLine}\r\nContent-Length: ${bytes.length}\r\n${fields}\r\n`),
    bytes
  ])
}
