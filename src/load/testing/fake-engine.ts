import { emptyEngineCounters } from '../../engine/engine.js'
import type { Address } from '../../base/address.js'
import type { TunnelError } from '../../base/errors.js'
import type { Alarm, ConnectOptions, Engine, Listener, Reader, Socket } from '../../engine/engine.js'

/** An engine whose sockets do what the test says, when it says so. */
export class FakeEngine implements Engine {
  readonly name = 'node'
  readonly counters = emptyEngineCounters()
  readonly sockets: FakeSocket[] = []

  connect (_address: Address, reader: Reader, _options: ConnectOptions): FakeSocket {
    const socket = new FakeSocket(reader)
    this.sockets.push(socket)
    return socket
  }

  listen (): Promise<Listener> {
    throw new Error('Nothing listens in a load generator')
  }

  alarm (): Alarm {
    throw new Error('A closed loop needs no alarm')
  }

  pollUntilAsleep (): void {
    throw new Error('A closed loop polls nothing')
  }

  atTurnEnd (task: () => void): void {
    setImmediate(task)
  }
}

export class FakeSocket implements Socket {
  readonly reader: Reader
  /** What the user called, in order. */
  readonly calls: string[] = []
  readonly pendingBytes = 0

  constructor (reader: Reader) {
    this.reader = reader
  }

  start (): void { throw new Error('A connecting socket is started already') }
  resume (): void { this.calls.push('resume') }
  shutdown (): void { this.calls.push('shutdown') }
  reset (): void { this.calls.push('reset') }
  abort (): void { this.calls.push('abort') }
  write (_view: Uint8Array, release: () => void): void {
    this.calls.push('write')
    release()
  }

  /** The bytes arrive in one read, and the memory they lay in is overwritten after it. */
  arrive (bytes: Uint8Array | string): void {
    const view = this.reader.claim()!
    const source = Buffer.from(bytes)
    view.set(source)
    this.reader.commit(source.length, false)
    view.fill(0xee, 0, source.length)
  }

  close (error: TunnelError | null = null): void {
    this.reader.close(error)
  }
}
