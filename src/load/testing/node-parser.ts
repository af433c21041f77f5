import { once } from 'node:events'
import http from 'node:http'

/** What node:http's own parser makes of what the server at `port` sends; rejects where it refuses that. */
export async function requestThroughNode (port: number): Promise<{ status: number, keepAlive: boolean, body: Buffer }> {
  const agent = new http.Agent({ keepAlive: true })
  try {
    const request = http.get({ port, host: '127.0.0.1', agent })
    const failures: Error[] = []
    request.on('error', (error) => failures.push(error))
    const [response] = await once(request, 'response') as [http.IncomingMessage]
    const pieces: Buffer[] = []
    for await (const piece of response) pieces.push(piece as Buffer)
    // An error may follow a response that looked complete.
    if (failures[0] !== undefined) throw failures[0]
    // Public on OutgoingMessage, but missing from the types of a ClientRequest.
    return {
      status: response.statusCode!,
      keepAlive: (request as unknown as { shouldKeepAlive: boolean }).shouldKeepAlive,
      body: Buffer.concat(pieces)
    }
  } finally {
    agent.destroy()
  }
}
