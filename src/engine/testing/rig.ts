import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { tcpAddress, unixAddress, type Address } from '../../base/address.js'
import type { TunnelError } from '../../base/errors.js'
import type { Engine, Listener, ListenOptions, Socket } from '../engine.js'
import { TestReader, type TestReaderOptions } from './test-reader.js'

export type Kind = Address['kind']

/** One end of a connection. */
export interface End {
  readonly socket: Socket
  readonly reader: TestReader
}

/**
 * An engine with everything that one test opens on it. `verify()` at the end of a test checks what must hold for every
 * test.
 */
export class Rig {
  readonly engine: Engine
  private readonly t: ExecutionContext
  private readonly ends: End[] = []
  private readonly writes: Array<{ releases: number }> = []
  private isOver = false
  private temporary: string | undefined

  constructor (t: ExecutionContext, engine: Engine) {
    this.t = t
    this.engine = engine
    t.teardown(() => {
      this.isOver = true
      for (const end of this.ends) end.socket.abort()
    })
  }

  /** A directory of this test alone. */
  get directory (): string {
    if (this.temporary === undefined) {
      const directory = mkdtempSync(join(tmpdir(), 'engine-'))
      this.t.teardown(() => rmSync(directory, { recursive: true, force: true }))
      this.temporary = directory
    }
    return this.temporary
  }

  freeAddress (kind: Kind): Address {
    return kind === 'tcp' ? tcpAddress('127.0.0.1', 0) : unixAddress(join(this.directory, 'test.sock'))
  }

  async listen (
    address: Address,
    onEnd: (end: End) => void = () => {},
    options: (index: number) => TestReaderOptions = () => ({}),
    listenOptions: ListenOptions = {}
  ): Promise<Listener> {
    let index = 0
    const listener = await this.engine.listen(
      address,
      (socket) => {
        const end: End = { socket, reader: new TestReader(options(index++)) }
        this.ends.push(end)
        socket.start(end.reader)
        if (this.isOver) socket.abort()
        else onEnd(end)
      },
      listenOptions
    )
    this.t.teardown(() => listener.close())
    return listener
  }

  /** What `listen()` rejects with. */
  async listenError (address: Address): Promise<TunnelError> {
    return await this.t.throwsAsync<TunnelError>(async () => { await this.listen(address) })
  }

  connect (address: Address, options: TestReaderOptions = {}, timeoutMs = 0): End {
    const reader = new TestReader(options)
    reader.isInsideCall = true
    const socket = this.engine.connect(address, reader, { timeoutMs })
    reader.isInsideCall = false
    const end = { socket, reader }
    this.ends.push(end)
    return end
  }

  /** A connection that both ends have established. */
  async pair (
    kind: Kind,
    clientOptions: TestReaderOptions = {},
    serverOptions: TestReaderOptions = {}
  ): Promise<{ client: End; server: End; listener: Listener }> {
    const accepted = deferred<End>()
    const listener = await this.listen(this.freeAddress(kind), accepted.resolve, () => serverOptions)
    const client = this.connect(listener.address, clientOptions)
    const [server] = await Promise.all([accepted.promise, client.reader.untilConnect()])
    return { client, server, listener }
  }

  /** Writes, overwrites the memory as soon as it is released, and counts. */
  write (end: End, bytes: Uint8Array, onRelease: () => void = () => {}): void {
    const { socket, reader } = end
    const write = { releases: 0 }
    this.writes.push(write)
    const pendingBytes = socket.pendingBytes
    const isAfterClose = reader.isClosed
    let isInsideCall = true
    socket.write(bytes, () => {
      if (isInsideCall) reader.violations.push('release() inside write()')
      if (reader.isClosed && !isAfterClose) reader.violations.push('release() after close()')
      write.releases++
      bytes.fill(0xee)
      onRelease()
    })
    isInsideCall = false
    if (socket.pendingBytes !== pendingBytes + bytes.length) {
      reader.violations.push(
        `pendingBytes is ${socket.pendingBytes} after a write of ${bytes.length} at ${pendingBytes}`
      )
    }
  }

  /** Resolves at the release. */
  writeAndWait (end: End, bytes: Uint8Array): Promise<void> {
    return new Promise((resolve) => this.write(end, bytes, resolve))
  }

  resume (end: End): void {
    end.reader.isPaused = false
    end.socket.resume()
  }

  reset (end: End): void {
    end.reader.isInsideCall = true
    end.socket.reset()
    end.reader.isInsideCall = false
  }

  abort (end: End): void {
    end.reader.isInsideCall = true
    end.socket.abort()
    end.reader.isInsideCall = false
  }

  /** Waits for every connection to close, then checks that no rule was broken, and that nothing is left. */
  async verify (): Promise<void> {
    const { t, engine } = this
    for (let seen = -1; seen < this.ends.length;) {
      seen = this.ends.length
      await Promise.all(this.ends.map((end) => end.reader.untilClose()))
      // A second close or release, or a connection that was still in a queue, would come within the turns that follow.
      await this.turns(3)
    }
    t.deepEqual(
      this.ends.flatMap((end) => end.reader.violations),
      []
    )
    t.deepEqual(
      this.writes.map((write) => write.releases),
      this.writes.map(() => 1),
      'every write is released once'
    )
    t.deepEqual(
      this.ends.map((end) => end.socket.pendingBytes),
      this.ends.map(() => 0)
    )
    t.is(engine.counters.socketsOpened, this.ends.length)
    t.is(engine.counters.socketsClosed, this.ends.length)
    const readBytes = this.ends.reduce((sum, end) => sum + end.reader.receivedBytes, 0)
    t.is(engine.counters.zeroCopyBytes + engine.counters.copiedBytes, readBytes)
  }

  /** Lets so many turns of the loop pass. */
  async turns (count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      await new Promise<void>((resolve) => this.engine.atTurnEnd(() => setImmediate(resolve)))
    }
  }
}

/**
 * How the parts of the suite register a test. `verify()` of the rig is called after the body, so that it is never
 * forgotten.
 */
export interface Suite {
  /** One test on TCP and one on a Unix socket. */
  onBoth (title: string, body: (t: ExecutionContext, rig: Rig, kind: Kind) => Promise<void>): void
  /** One test. `serially`: before all others, alone. */
  once (title: string, body: (t: ExecutionContext, rig: Rig) => Promise<void>, serially?: boolean): void
}

export interface Deferred<T> {
  readonly promise: Promise<T>
  readonly resolve: (value: T) => void
}

export function deferred<T> (): Deferred<T> {
  let resolve: (value: T) => void = () => {}
  const promise = new Promise<T>((_resolve) => { resolve = _resolve })
  return { promise, resolve }
}
