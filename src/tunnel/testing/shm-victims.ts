import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { unixAddress } from '../../base/address.js'
import { contentSlice } from '../../base/content.js'
import { ErrorCode, TunnelError } from '../../base/errors.js'
import type { Listener } from '../../engine/engine.js'
import { createTestEngine } from '../../engine/testing/engines.js'
import type { Random } from '../../engine/testing/random.js'
import { deferred } from '../../engine/testing/rig.js'
import { Reason } from '../../frame/layout.js'
import { Role } from '../../mux/hello.js'
import { DEFAULT_SESSION_OPTIONS, Session } from '../../mux/session.js'
import { CheckedTransport } from '../../mux/testing/checked-transport.js'
import { Endpoint } from '../../mux/testing/endpoint.js'
import { ShmSide } from '../../shm/endpoint.js'
import type { SegmentMemory } from '../../shm/segment-memory.js'
import type { SegmentSizes } from '../../shm/segment-sizes.js'
import { BoundedTransport } from '../../transport/shm/testing/bounded-transport.js'
import { WatchedMemory, type WatchedSegment } from '../../transport/shm/testing/watched-memory.js'
import { acceptShm, connectShm } from '../../transport/shm/create-shm-transport.js'
import type { ShmTransport } from '../../transport/shm/shm-transport.js'
import type { Transport } from '../../transport/transport.js'
import { until } from './rig.js'

/** So small that rings wrap and pools run out all the time; payloads may be longer than a slot. */
export const VICTIM_SIZES: SegmentSizes = {
  slotBytes: 1024,
  slots: 16,
  ringEntries: 64,
  inlineBytes: 512,
  constantBytes: 4096
}
const LIMITS = {
  ...DEFAULT_SESSION_OPTIONS,
  maxPayloadBytes: 2048,
  windowBytes: 8192,
  maxChannels: 8,
  helloTimeoutMs: 60_000,
  pingIntervalMs: 0
}

/** A body that fits the place where it is sent: what arrives can be told from anything else. */
const MAX_BODY_BYTES = 10_000

/** One honest side of a link over shared memory, with channels at work, held to every contract. */
export class Victim {
  readonly session: Session
  readonly bounded: BoundedTransport
  readonly endpoints: Endpoint[] = []
  /** What `onClose()` said; undefined while the session is open. */
  closedWith: TunnelError | null | undefined
  readonly #checked: CheckedTransport
  readonly #isHost: boolean

  constructor (
    transport: Transport,
    side: ShmSide,
    segment: () => WatchedSegment,
    atTurnEnd: (task: () => void) => void
  ) {
    this.#isHost = side === ShmSide.HOST
    this.bounded = new BoundedTransport(transport, side, segment)
    this.#checked = new CheckedTransport(this.bounded)
    this.session = new Session(
      this.#checked,
      { ...LIMITS, role: side === ShmSide.HOST ? Role.HOST : Role.PLUGIN },
      {
        onReady: () => {},
        onChannel: (channel) => {
          const endpoint = new Endpoint()
          endpoint.channel = channel
          this.endpoints.push(endpoint)
          channel.accept()
          return endpoint
        },
        onClose: (error) => {
          this.closedWith = error
        }
      },
      atTurnEnd
    )
  }

  open (): Endpoint | null {
    const endpoint = new Endpoint()
    const channel = this.session.tryOpen(endpoint)
    if (channel === null) return null
    endpoint.channel = channel
    this.endpoints.push(endpoint)
    return endpoint
  }

  /** Something that a user may do. */
  act (random: Random): void {
    const endpoint = this.endpoints.at(-1 - random.below(Math.min(this.endpoints.length, 6)))
    switch (random.below(12)) {
      case 0:
      case 1:
        if (this.#isHost) this.open()
        break
      case 2:
        if (endpoint !== undefined) endpoint.keeps = !endpoint.keeps
        break
      case 3:
      case 4:
        for (const one of this.endpoints.slice(-8)) {
          one.releaseKept((releases) => (random.below(2) === 0 ? releases : releases.reverse()))
        }
        break
      case 5:
        if (random.below(4) === 0) endpoint?.channel.reset(Reason.CONNECTION_RESET)
        break
      default:
        if (endpoint !== undefined && endpoint.unsentBytes === 0) {
          endpoint.send(contentSlice(random.below(1000), random.below(MAX_BODY_BYTES)), {
            end: random.below(4) === 0,
            pieceBytes: () => 1 + random.below(3000)
          })
        }
    }
  }

  /** Keeps every channel full of payloads that need slots. */
  stream (): void {
    for (const endpoint of this.endpoints) {
      if (endpoint.unsentBytes === 0) endpoint.send(contentSlice(0, MAX_BODY_BYTES))
    }
  }

  get transportClosed (): boolean {
    return !this.#checked.problems.includes('onClose() was called 0 times')
  }

  /** Once the link is closed: what is left or went wrong. */
  problems (): string[] {
    for (const endpoint of this.endpoints) endpoint.releaseKept()
    const { counters, channelCount } = this.session
    const problems = [...this.#checked.problems, ...this.bounded.violations]
    if (channelCount !== 0 || counters.channelsOpened !== counters.channelsClosed) {
      problems.push(
        `${channelCount} channels are left, ${counters.channelsOpened} opened, ${counters.channelsClosed} closed`
      )
    }
    if (this.closedWith === undefined) problems.push('the session was not told the end')
    return problems
  }
}

/** Two honest sides. Whoever writes into their segment is, to either, the other. */
export interface VictimPair {
  readonly host: Victim
  readonly plugin: Victim
  readonly segment: WatchedSegment
  /** Cuts the link, and returns what is left or went wrong at any time. */
  finish (): Promise<string[]>
}

/** Makes pairs, one after the other, on one listening socket. */
export class VictimFactory {
  readonly #engine = createTestEngine()
  readonly #memory: WatchedMemory
  #listener!: Listener
  #onTransport: (transport: ShmTransport) => void = () => {}

  private constructor (memory: SegmentMemory) {
    this.#memory = new WatchedMemory(memory)
  }

  static async start (t: ExecutionContext, memory: SegmentMemory): Promise<VictimFactory> {
    const factory = new VictimFactory(memory)
    const directory = mkdtempSync(join(tmpdir(), 'victims-'))
    t.teardown(() => { rmSync(directory, { recursive: true }) })
    factory.#listener = await factory.#engine.listen(unixAddress(join(directory, 's')), (socket) => {
      factory.#onTransport(acceptShm(factory.#engine, socket, factory.#parts))
    })
    t.teardown(() => factory.#listener.close())
    return factory
  }

  get #parts () { return { memory: this.#memory, sizes: VICTIM_SIZES, poison: 0xEE } }

  async makePair (): Promise<VictimPair> {
    const memory = this.#memory
    memory.offered.length = memory.attached.length = 0
    const accepted = deferred<ShmTransport>()
    this.#onTransport = accepted.resolve
    const atTurnEnd = (task: () => void): void => { this.#engine.atTurnEnd(task) }
    const connecting = connectShm(this.#engine, this.#listener.address, 0, this.#parts)
    const host = new Victim(await accepted.promise, ShmSide.HOST, () => segmentOf(memory.offered), atTurnEnd)
    const plugin = new Victim(connecting, ShmSide.PLUGIN, () => segmentOf(memory.attached), atTurnEnd)
    host.session.start()
    plugin.session.start()
    await until(() => host.session.ready && plugin.session.ready)
    const segments = [segmentOf(memory.offered), segmentOf(memory.attached)] as const
    return {
      host,
      plugin,
      segment: segments[0],
      finish: async () => {
        for (const { session } of [host, plugin]) session.abort(new TunnelError(ErrorCode.CLOSED, 'The test is over'))
        await until(() => host.transportClosed && plugin.transportClosed)
        const problems = [
          ...host.problems().map((problem) => `host: ${problem}`),
          ...plugin.problems().map((problem) => `plugin: ${problem}`)
        ]
        for (const { frees } of segments) if (frees !== 1) problems.push(`a segment was freed ${frees} times`)
        return problems
      }
    }
  }
}

function segmentOf (segments: readonly WatchedSegment[]): WatchedSegment {
  const segment = segments[0]
  if (segment === undefined) throw new Error('there is no segment yet')
  return segment
}
