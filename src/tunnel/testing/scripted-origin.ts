import type { ExecutionContext } from 'ava'
import { Party, type Reception, type Step, TAG_BYTES, turn, until } from './party.js'
import { BROKEN, NOTHING_NOW, RawListener, RawSocket } from './raw-tcp.js'

export interface Script {
  readonly client: readonly Step[]
  readonly origin: readonly Step[]
}

/** An origin that plays its part of many scripts at one time. */
export class ScriptedOrigin {
  readonly port: number
  readonly #listener: RawListener
  /** Connections that are not asked for yet, by their tags. */
  readonly #arrived = new Map<number, RawSocket>()
  #nextId = 1
  #closed = false

  constructor (t: Pick<ExecutionContext, 'teardown'>) {
    this.#listener = new RawListener(t)
    this.port = this.#listener.port
    t.teardown(() => {
      this.#closed = true
      for (const socket of this.#arrived.values()) socket.close()
    })
    void this.#accept()
  }

  async #accept (): Promise<void> {
    for (let looks = 0; !this.#closed; looks++) {
      const socket = this.#listener.tryAccept()
      if (socket === null) {
        await turn(looks)
      } else {
        looks = 0
        void this.#handle(socket)
      }
    }
  }

  async #handle (socket: RawSocket): Promise<void> {
    let text = ''
    await until(() => {
      const bytes = socket.read(TAG_BYTES - text.length)
      if (typeof bytes !== 'number') text += Buffer.from(bytes).toString('latin1')
      return text.length === TAG_BYTES || (bytes !== NOTHING_NOW && (bytes === BROKEN || bytes.length === 0))
    })
    if (text.length === TAG_BYTES) this.#arrived.set(Number(text), socket)
    else socket.close()
  }

  /** The connection whose client has the tag `id`; undefined: it does not come. */
  async accept (id: number): Promise<RawSocket | undefined> {
    await until(() => this.#arrived.has(id))
    const accepted = this.#arrived.get(id)
    this.#arrived.delete(id)
    return accepted
  }

  /** Plays a script between a client that connects to `port` and this origin. */
  async play (script: Script, port = this.port): Promise<{ client: Reception, origin: Reception }> {
    const id = this.#nextId++
    const said = new Set<string>()
    const accepting = this.accept(id)
    const clientSocket = await connectAs(id, port)
    const client = new Party('client', clientSocket, said, id)
    const playing = client.run(script.client)
    const originSocket = await accepting
    try {
      if (originSocket === undefined) return { client: NOTHING_CAME, origin: NOTHING_CAME }
      const origin = new Party('origin', originSocket, said, id)
      await origin.run(script.origin)
      await playing
      return { client: client.reception(origin), origin: origin.reception(client) }
    } finally {
      await playing
      clientSocket.close()
      originSocket?.close()
    }
  }
}

/** A connection with its tag sent. */
export async function connectAs (id: number, port: number, bufferBytes?: number): Promise<RawSocket> {
  const socket = RawSocket.connect(port, bufferBytes)
  await until(() => socket.isConnected)
  socket.send(Buffer.from(String(id).padStart(TAG_BYTES)))
  return socket
}

/** The origin never heard of the client. */
const NOTHING_CAME: Reception = { lost: Infinity, isIntact: false, end: 'open' }
