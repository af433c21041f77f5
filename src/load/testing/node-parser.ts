import { once } from 'node:events'
import http from 'node:http'
import net from 'node:net'

/** Answers every connection's first request with bytes that it is told. */
export interface RawServer {
  readonly port: number
  bytes: Buffer
  endsAfter: boolean
  close (): void
}

export async function startRawServer (): Promise<RawServer> {
  const open = new Set<net.Socket>()
  const server = net.createServer((socket) => {
    open.add(socket)
    socket.on('close', () => open.delete(socket)).on('error', () => {})
    socket.once('data', () => {
      socket.write(raw.bytes)
      if (raw.endsAfter) socket.end()
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const raw: RawServer = {
    port: (server.address() as net.AddressInfo).port,
    bytes: Buffer.alloc(0),
    endsAfter: false,
    close () {
      server.close()
      for (const socket of open) socket.destroy()
    }
  }
  return raw
}

/** What node:http's own parser makes of `bytes`; rejects where it refuses them. `endsAfter`: the connection ends behind them. */
export async function requestThroughNode (server: RawServer, bytes: Buffer, endsAfter: boolean): Promise<{ status: number, keepAlive: boolean, body: Buffer }> {
  server.bytes = bytes
  server.endsAfter = endsAfter
  const agent = new http.Agent({ keepAlive: true })
  try {
    const request = http.get({ port: server.port, host: '127.0.0.1', agent })
    const [response] = await once(request, 'response') as [http.IncomingMessage]
    const pieces: Buffer[] = []
    for await (const piece of response) pieces.push(piece as Buffer)
    // Public on OutgoingMessage, but missing from the types of a ClientRequest.
    return { status: response.statusCode!, keepAlive: (request as unknown as { shouldKeepAlive: boolean }).shouldKeepAlive, body: Buffer.concat(pieces) }
  } finally {
    agent.destroy()
  }
}
