import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { request, type IncomingMessage } from 'node:http'
import type { ExecutionContext } from 'ava'

export interface Answer {
  readonly status: number
  readonly body: Buffer
}

/** A request on a connection of its own, with the response's head read and nothing else. */
export async function open (t: ExecutionContext, url: string): Promise<IncomingMessage> {
  const sent = request(url, { agent: false })
  t.teardown(() => { sent.destroy() })
  sent.end()
  const [response] = await once(sent, 'response') as [IncomingMessage]
  // A cut is told by `finish()`.
  for (const emitter of [sent, response]) emitter.on('error', () => {})
  return response
}

export async function finish (response: IncomingMessage): Promise<Answer> {
  const pieces: Buffer[] = []
  for await (const piece of response) pieces.push(piece as Buffer)
  return { status: response.statusCode!, body: Buffer.concat(pieces) }
}

/** Rejects with the socket's error where the connection is cut off. */
export async function get (t: ExecutionContext, url: string): Promise<Answer> {
  return await finish(await open(t, url))
}

export function sha256 (bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
