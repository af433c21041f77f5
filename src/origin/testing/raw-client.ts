import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { ExecutionContext } from 'ava'

export interface RawResponse {
  readonly status: number
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

/** A TCP connection that sends exactly the given bytes, and keeps all that came back. */
export class RawClient {
  readonly socket: Socket
  #pieces: Buffer[] = []
  #closed = false
  #wake: () => void = () => {}

  private constructor (socket: Socket) {
    this.socket = socket
    socket.on('data', piece => {
      this.#pieces.push(piece)
      this.#wake()
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.#closed = true
      this.#wake()
    })
  }

  static async connect (t: ExecutionContext, port: number): Promise<RawClient> {
    const socket = connect(port, '127.0.0.1')
    t.teardown(() => { socket.destroy() })
    await once(socket, 'connect')
    return new RawClient(socket)
  }

  write (data: string | Uint8Array): void {
    this.socket.write(data)
  }

  /** Everything received so far, once it satisfies `isEnough` or the connection has closed. */
  async received (isEnough: (received: Buffer) => boolean): Promise<Buffer> {
    while (!isEnough(this.#received()) && !this.#closed) await this.#change()
    return this.#received()
  }

  async closed (): Promise<Buffer> {
    while (!this.#closed) await this.#change()
    return this.#received()
  }

  async #change (): Promise<void> {
    await new Promise<void>(resolve => { this.#wake = resolve })
  }

  #received (): Buffer {
    if (this.#pieces.length !== 1) this.#pieces = [Buffer.concat(this.#pieces)]
    return this.#pieces[0]!
  }

  /**
   * The first `count` final responses to requests with `methods` (all GET where left out); those with status 100 count
   * too.
   */
  async responses (count: number, methods: readonly string[] = []): Promise<RawResponse[]> {
    return parseResponses(await this.received(received => parseResponses(received, methods).length >= count), methods)
  }
}

/**
 * Whole responses at the start of `bytes`. A body is as long as Content-Length says, and absent for HEAD and status
 * 100.
 */
export function parseResponses (bytes: Buffer, methods: readonly string[] = []): RawResponse[] {
  const responses: RawResponse[] = []
  for (let at = 0; ;) {
    const headEnd = bytes.indexOf('\r\n\r\n', at)
    if (headEnd === -1) return responses
    const [statusLine = '', ...lines] = bytes.toString('latin1', at, headEnd).split('\r\n')
    const headers = Object.fromEntries(
      lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()])
    )
    const status = Number(statusLine.split(' ')[1])
    const bodyBytes = status === 100 || methods[responses.length] === 'HEAD' ? 0 : Number(headers['content-length'])
    const bodyStart = headEnd + 4
    if (bytes.length < bodyStart + bodyBytes) return responses
    responses.push({ status, headers, body: bytes.subarray(bodyStart, bodyStart + bodyBytes) })
    at = bodyStart + bodyBytes
  }
}

/** Bytes of a request with an empty line at its end. */
export function requestHead (method: string, target: string, ...headers: string[]): string {
  return [`${method} ${target} HTTP/1.1`, 'Host: origin', ...headers, '', ''].join('\r\n')
}
