import type { ExecutionContext } from 'ava'
import { ErrorCode, TunnelError } from '../../base/errors.js'
import { encodeHeader, type FrameHeader } from '../../frame/header.js'
import { FrameType, HEADER_BYTES } from '../../frame/layout.js'
import {
  createMemoryTransportPair,
  type MemoryTransport,
  type MemoryTransportOptions
} from '../../transport/memory/memory-transport.js'
import { encodeHello, Role } from '../hello.js'
import { DEFAULT_SESSION_OPTIONS, Session, type SessionHandler, type SessionOptions } from '../session.js'
import { CheckedTransport } from './checked-transport.js'
import { Endpoint } from './endpoint.js'

/** No timers but those a test asks for. */
const QUIET = { helloTimeoutMs: 60_000, pingIntervalMs: 0, pingTimeoutMs: 0 }

export interface SideOptions {
  readonly limits?: Partial<SessionOptions>
  /** A new channel on the plugin's side; default: it is accepted. */
  readonly onChannel?: (endpoint: Endpoint) => void
  readonly refuse?: SessionHandler['refuse']
}

/** A session with all that belongs to it and a note of what it was told. */
export class Side {
  readonly session: Session
  readonly memory: MemoryTransport
  readonly transport: CheckedTransport
  readonly endpoints: Endpoint[] = []
  /** `ready`, `go-away`, `close`. */
  readonly events: string[] = []
  /** What `onClose()` said; undefined while the session is open. */
  closedWith: TunnelError | null | undefined
  readonly closed: Promise<TunnelError | null>
  transportClosed = false

  constructor (
    memory: MemoryTransport,
    role: Role,
    {
      limits,
      refuse,
      onChannel = (endpoint) => {
        endpoint.channel.accept()
      }
    }: SideOptions
  ) {
    this.memory = memory
    this.transport = new CheckedTransport(memory)
    let resolveClosed: (error: TunnelError | null) => void
    this.closed = new Promise((resolve) => {
      resolveClosed = resolve
    })
    this.session = new Session(
      this.transport,
      { ...DEFAULT_SESSION_OPTIONS, ...QUIET, ...limits, role },
      {
        ...(refuse === undefined ? {} : { refuse }),
        onReady: () => {
          this.events.push('ready')
        },
        onGoAway: () => {
          this.events.push('go-away')
        },
        onChannel: (channel) => {
          const endpoint = new Endpoint()
          endpoint.channel = channel
          this.endpoints.push(endpoint)
          onChannel(endpoint)
          return endpoint
        },
        onClose: (error) => {
          this.events.push('close')
          this.closedWith = error
          resolveClosed(error)
        }
      },
      queueMicrotask
    )
  }

  /** Opens a channel; null where the session does not allow it. */
  tryOpen (): Endpoint | null {
    const endpoint = new Endpoint()
    const channel = this.session.tryOpen(endpoint)
    if (channel === null) return null
    endpoint.channel = channel
    this.endpoints.push(endpoint)
    return endpoint
  }

  open (): Endpoint {
    const endpoint = this.tryOpen()
    if (endpoint === null) throw new Error('the session opens no channel')
    return endpoint
  }

  /** DATA payload bytes sent on a channel so far. */
  sentBytes (channelId: number): number {
    return this.transport.sent.reduce(
      (sum, frame) => sum + (frame.type === FrameType.DATA && frame.channelId === channelId ? frame.payloadBytes : 0),
      0
    )
  }

  sentFrames (type: FrameType): FrameHeader[] {
    return this.transport.sent.filter((frame) => frame.type === type)
  }

  /** Cuts the link, releases what is kept, and throws where memory or a callback is missing or came twice. */
  async finish (): Promise<void> {
    this.session.abort(new TunnelError(ErrorCode.CLOSED, 'The test is over'))
    await until(() => !this.transport.problems.includes('onClose() was called 0 times'), 'the end of the link')
    for (const endpoint of this.endpoints) endpoint.releaseKept()
    const { counters, channelCount } = this.session
    const problems = [...this.transport.problems]
    if (channelCount !== 0) problems.push(`${channelCount} channels are left`)
    if (counters.channelsOpened !== counters.channelsClosed) {
      problems.push(`${counters.channelsOpened} channels opened, ${counters.channelsClosed} closed`)
    }
    if (this.events.filter((event) => event === 'close').length !== 1 || this.events.at(-1) !== 'close') {
      problems.push(`session events: ${this.events.join(', ')}`)
    }
    for (const { events } of this.endpoints) {
      const ends = events.filter((event) => event.startsWith('reset') || event === 'done')
      if (ends.length > 1 || (ends.length === 1 && events.at(-1) !== ends[0])) {
        problems.push(`channel events: ${events.join(', ')}`)
      }
    }
    if (problems.length > 0) throw new Error(problems.join('; '))
  }
}

export interface SessionPairOptions {
  readonly host?: SideOptions
  readonly plugin?: SideOptions
  readonly transport?: MemoryTransportOptions
}

/** A host and a plugin over a memory transport; both are held to every contract when the test ends. */
export function createSessionPair (
  t: ExecutionContext,
  { host = {}, plugin = {}, transport = {} }: SessionPairOptions = {}
): { host: Side; plugin: Side } {
  const [a, b] = createMemoryTransportPair(transport)
  const pair = { host: new Side(a, Role.HOST, host), plugin: new Side(b, Role.PLUGIN, plugin) }
  pair.host.session.start()
  pair.plugin.session.start()
  t.teardown(async () => {
    await pair.host.finish()
    await pair.plugin.finish()
  })
  return pair
}

export async function createReadyPair (
  t: ExecutionContext,
  options?: SessionPairOptions
): Promise<{ host: Side; plugin: Side }> {
  const pair = createSessionPair(t, options)
  await until(() => pair.host.session.ready && pair.plugin.session.ready, 'the handshake')
  return pair
}

/** Opens a channel and returns both its ends. */
export async function openChannel ({ host, plugin }: { host: Side, plugin: Side }): Promise<[Endpoint, Endpoint]> {
  const near = host.open()
  const arrived = (): Endpoint | undefined => plugin.endpoints.find(({ channel }) => channel.id === near.channel.id)
  await until(() => arrived() !== undefined, 'the channel')
  return [near, arrived()!]
}

/** Whatever a broken or hostile program sends: a peer without a session. */
export class RawPeer {
  readonly memory: MemoryTransport
  readonly received: Array<FrameHeader & { payload: Buffer }> = []

  constructor (memory: MemoryTransport) {
    this.memory = memory
    memory.start({
      onFrame: (header, payload, release) => {
        this.received.push({ ...header, payload: Buffer.from(payload) })
        release()
      },
      onWritable: () => {},
      onClose: () => {}
    })
    memory.setMaxPayloadBytes(DEFAULT_SESSION_OPTIONS.maxPayloadBytes)
  }

  inject (...frames: Uint8Array[]): void {
    this.memory.injectIntoPeer(...frames)
  }

  get goAway (): { reason: number, text: string } | null {
    const frame = this.received.find(({ type }) => type === FrameType.GOAWAY)
    return frame === undefined ? null : { reason: frame.argument, text: frame.payload.toString() }
  }
}

/** A session of `role` against a raw peer, before any handshake. */
export function createVictim (
  t: ExecutionContext,
  role: Role,
  options: SideOptions = {}
): { victim: Side; peer: RawPeer } {
  const [a, b] = createMemoryTransportPair()
  const victim = new Side(a, role, options)
  const peer = new RawPeer(b)
  victim.session.start()
  t.teardown(() => victim.finish())
  return { victim, peer }
}

export async function createReadyVictim (
  t: ExecutionContext,
  role: Role,
  options?: SideOptions
): Promise<{ victim: Side; peer: RawPeer }> {
  const pair = createVictim(t, role, options)
  pair.peer.inject(helloFrame(role === Role.HOST ? Role.PLUGIN : Role.HOST))
  await until(() => pair.victim.session.ready, 'the handshake')
  return pair
}

export function frame (
  type: FrameType,
  channelId: number,
  {
    argument = 0,
    flags = 0,
    payload = new Uint8Array(0)
  }: { argument?: number; flags?: number; payload?: Uint8Array } = {}
): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES + payload.length)
  encodeHeader(bytes, 0, { type, channelId, payloadBytes: payload.length, flags, argument })
  bytes.set(payload, HEADER_BYTES)
  return bytes
}

export function helloFrame (role: Role, overrides: Partial<Parameters<typeof encodeHello>[0]> = {}): Uint8Array {
  const { maxPayloadBytes, windowBytes, maxChannels } = DEFAULT_SESSION_OPTIONS
  return frame(FrameType.HELLO, 0, {
    payload: encodeHello({ role, transport: 'memory', maxPayloadBytes, windowBytes, maxChannels, ...overrides })
  })
}

/** Turns of the event loop until `condition` holds; fails after 20 s. */
export async function until (condition: () => boolean, what: string): Promise<void> {
  const giveUpAtMs = Date.now() + 20_000
  while (!condition()) {
    if (Date.now() > giveUpAtMs) throw new Error(`Waited in vain for ${what}`)
    await new Promise((resolve) => { setImmediate(resolve) })
  }
}

/**
 * Turns of the event loop until nothing has moved on the link for a while: everything here is driven by turns, not by
 * time.
 */
export async function settled (
  ...transports: Array<{ readonly counters: MemoryTransport['counters'] }>
): Promise<void> {
  const total = (): number =>
    transports.reduce((sum, { counters }) => sum + counters.framesSent + counters.framesReceived, 0)
  for (let quietTurns = 0, last = total(); quietTurns < 10; quietTurns++) {
    await new Promise((resolve) => {
      setImmediate(resolve)
    })
    if (total() !== last) quietTurns = 0
    last = total()
  }
}
