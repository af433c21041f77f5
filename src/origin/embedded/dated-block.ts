import type { ServerConstant, ServerConstants } from './server-channel.js'

/** How often the same block may exist in memory of the link: each can be rewritten once it is not being read. */
const MAX_VERSIONS = 4

const DATE_BYTES = 29

/** The current second as `Date` has it. */
export interface DateClock {
  /** Seconds since 1970. */
  readonly second: number
  /** IMF-fixdate: always 29 bytes. */
  readonly text: string
}

/**
 * A response, or the head of one, that differs from one time to the next in its `Date` field only. In a link's memory
 * it is written once a second and sent from there. A version that a slow client still has to read is left alone and
 * another one is used; when all are, the block has to be copied for some time.
 */
export class DatedBlock {
  readonly #constants: ServerConstants
  readonly #clock: DateClock
  readonly #bytes: Buffer
  readonly #dateOffset: number
  readonly #versions: ServerConstant[] = []
  #current: ServerConstant | null = null
  #second = -1

  /** `head` ends behind its last field line; a Date field, the empty line and `body` are put behind it. */
  constructor (constants: ServerConstants, clock: DateClock, head: string, body: string = '') {
    this.#constants = constants
    this.#clock = clock
    this.#dateOffset = head.length + 'Date: '.length
    this.#bytes = Buffer.from(`${head}Date: ${' '.repeat(DATE_BYTES)}\r\n\r\n${body}`, 'latin1')
  }

  get length (): number { return this.#bytes.length }

  /** With the current date, in the link's memory; null: there is no room for it. */
  get constant (): ServerConstant | null {
    if (this.#second !== this.#clock.second) this.#renew()
    return this.#current
  }

  /** With the date of the last look at `constant`, valid until the next one. */
  get bytes (): Uint8Array { return this.#bytes }

  #renew (): void {
    this.#second = this.#clock.second
    this.#bytes.write(this.#clock.text, this.#dateOffset, 'latin1')
    this.#current = this.#versions.find((version) => this.#constants.tryRewrite(version, this.#bytes)) ?? null
    if (this.#current !== null || this.#versions.length === MAX_VERSIONS) return
    this.#current = this.#constants.publish(this.#bytes)
    if (this.#current !== null) this.#versions.push(this.#current)
  }
}
