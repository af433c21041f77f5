import { STATUS_CODES } from 'node:http'
import { LARGE_BODY_BYTES } from '../../base/content.js'
import { FIXED_ROUTES } from '../routes.js'
import { ContentSource } from './content-source.js'
import { type DateClock, DatedBlock } from './dated-block.js'
import { KnownRequests, type PreparedAnswer } from './known-requests.js'
import { LabConnection, type LinkParts, type TimeLimits } from './lab-connection.js'
import type {
  EmbeddedLink,
  EmbeddedServer,
  ServerChannel,
  ServerChannelHandler,
  ServerConstants
} from './server-channel.js'

/** As those of the origin on node:http, where that has one. */
const TIME_LIMITS: TimeLimits = { headTicks: 60, bodyTicks: 60, idleTicks: 65, lingerTicks: 5, stalledTicks: 60 }

/**
 * The lab's own endpoints (`routes.ts`), answered inside the plugin: what benchmarks ask for leaves from memory that it
 * was written to once.
 */
export function labServer (limits: TimeLimits = TIME_LIMITS, nowMs = Date.now): EmbeddedServer {
  return { attach: (constants) => new LabLink(constants, limits, nowMs) }
}

/** All connections of one link, and what they share. */
export class LabLink implements EmbeddedLink, LinkParts {
  readonly content: ContentSource
  readonly known = new KnownRequests()
  readonly clock: { second: number, text: string } & DateClock = { second: -1, text: '' }
  tick = 0
  readonly #limits: TimeLimits
  readonly #nowMs: () => number
  readonly #connections = new Set<LabConnection>()
  readonly #prepared = new Map<string, PreparedAnswer>()
  readonly #heads = new Map<string, PreparedAnswer>()
  #timer!: NodeJS.Timeout

  /** `nowMs` is `Date.now`, but for tests. */
  constructor (constants: ServerConstants, limits: TimeLimits, nowMs = Date.now) {
    this.#limits = limits
    this.#nowMs = nowMs
    this.content = new ContentSource(constants)
    for (const [path, { status, headers, body }] of FIXED_ROUTES) {
      let head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n`
      for (let i = 0; i < headers.length; i += 2) head += `${headers[i]}: ${headers[i + 1]}\r\n`
      head += `Content-Length: ${Buffer.byteLength(body)}\r\n`
      this.#heads.set(path, { block: new DatedBlock(constants, this.clock, head), contentBytes: 0 })
      this.#prepared.set(path, typeof body === 'string'
        ? { block: new DatedBlock(constants, this.clock, head, body), contentBytes: 0 }
        : { block: new DatedBlock(constants, this.clock, head), contentBytes: LARGE_BODY_BYTES })
    }
    this.#setTime()
  }

  prepared (method: string, target: string): PreparedAnswer | null {
    return (method === 'GET' ? this.#prepared.get(target) : method === 'HEAD' ? this.#heads.get(target) : null) ?? null
  }

  onChannel (channel: ServerChannel): ServerChannelHandler {
    const connection = new LabConnection(this, channel)
    this.#connections.add(connection)
    channel.accept()
    return connection
  }

  drain (): void {
    for (const connection of [...this.#connections]) connection.drain()
  }

  close (): void {
    clearTimeout(this.#timer)
  }

  forget (connection: LabConnection): void {
    this.#connections.delete(connection)
  }

  /** Once a second, right after it has begun. A timer may fire a moment too early: that second has been counted. */
  #setTime (): void {
    const nowMs = this.#nowMs()
    const second = Math.floor(nowMs / 1000)
    this.#timer = setTimeout(() => { this.#setTime() }, 1000 - nowMs % 1000).unref()
    if (second === this.clock.second) return
    const isFirst = this.clock.second === -1
    this.clock.second = second
    this.clock.text = new Date(second * 1000).toUTCString()
    if (isFirst) return
    this.tick++
    for (const connection of [...this.#connections]) connection.checkTime(this.#limits)
  }
}
