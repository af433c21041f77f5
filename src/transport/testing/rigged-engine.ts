import type { Address } from '../../base/address.js'
import type {
  Alarm,
  ConnectOptions,
  Engine,
  EngineCounters,
  EngineName,
  Listener,
  Polled,
  Reader,
  Socket,
  TurnPhase
} from '../../engine/engine.js'

/**
 * An engine whose sockets can be held, cut into pieces and spoken through: all that may happen to a link, on purpose.
 */
export class RiggedEngine implements Engine {
  readonly name: EngineName
  readonly counters: EngineCounters
  /** Every socket made so far. */
  readonly sockets: RiggedSocket[] = []
  readonly #engine: Engine
  readonly #pieceBytes: () => number

  constructor (engine: Engine, pieceBytes: () => number = () => Infinity) {
    this.name = engine.name
    this.counters = engine.counters
    this.#engine = engine
    this.#pieceBytes = pieceBytes
  }

  listen (address: Address, onSocket: (socket: Socket) => void): Promise<Listener> {
    return this.#engine.listen(address, (socket) => { onSocket(this.#rig(socket)) })
  }

  connect (address: Address, reader: Reader, options: ConnectOptions): Socket {
    const rigged = new RiggedSocket(this.#pieceBytes)
    this.sockets.push(rigged)
    rigged.socket = this.#engine.connect(address, rigged.wrap(reader), options)
    return rigged
  }

  atTurnEnd (task: () => void, phase?: TurnPhase): void {
    this.#engine.atTurnEnd(task, phase)
  }

  alarm (onRing: () => void): Alarm {
    return this.#engine.alarm(onRing)
  }

  pollUntilAsleep (polled: Polled): void {
    this.#engine.pollUntilAsleep(polled)
  }

  #rig (socket: Socket): RiggedSocket {
    const rigged = new RiggedSocket(this.#pieceBytes)
    rigged.socket = socket
    this.sockets.push(rigged)
    return rigged
  }
}

export class RiggedSocket implements Socket {
  socket!: Socket
  /** Lengths of the writes so far. */
  readonly writes: number[] = []
  readonly #pieceBytes: () => number
  #stopped = false

  constructor (pieceBytes: () => number) {
    this.#pieceBytes = pieceBytes
  }

  /** Takes nothing more from the operating system, as a program that hangs. */
  stopReading (): void {
    this.#stopped = true
  }

  resumeReading (): void {
    this.#stopped = false
    this.socket.resume()
  }

  /** What a hostile program on this side would send. */
  inject (bytes: Uint8Array): void {
    this.socket.write(bytes, () => {})
  }

  wrap (reader: Reader): Reader {
    return {
      claimReserves: reader.claimReserves,
      claim: (bytes) => {
        if (this.#stopped) return null
        const claim = reader.claim(bytes)
        return claim === null ? null : claim.subarray(0, Math.max(1, this.#pieceBytes()))
      },
      commit: (bytes, copied) => { reader.commit(bytes, copied) },
      end: () => { reader.end() },
      close: (error) => { reader.close(error) },
      connect: () => { reader.connect?.() }
    }
  }

  start (reader: Reader): void { this.socket.start(this.wrap(reader)) }

  write (view: Uint8Array, release: () => void): void {
    this.writes.push(view.length)
    this.socket.write(view, release)
  }

  shutdown (): void { this.socket.shutdown() }
  reset (): void { this.socket.reset() }
  abort (): void { this.socket.abort() }
  resume (): void { if (!this.#stopped) this.socket.resume() }
  get pendingBytes (): number { return this.socket.pendingBytes }
}
