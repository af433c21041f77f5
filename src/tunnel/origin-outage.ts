import type { ErrorCode, TunnelError } from '../base/errors.js'
import { RepeatedEvents } from './repeated-events.js'
import type { TunnelEvent } from './tunnel.js'

/**
 * Outages that are told as they come: an origin that is restarted a few times. One that comes and goes all the time is
 * told once a minute.
 */
const BURST = 5

/** Tells that the origin cannot be reached, once per outage and reason, and when it can be again. */
export class OriginOutage {
  readonly #emit: (event: TunnelEvent) => void
  readonly #repeated: RepeatedEvents
  /** What was told of this outage. */
  readonly #reasons = new Set<ErrorCode>()

  constructor (emit: (event: TunnelEvent) => void) {
    this.#emit = emit
    this.#repeated = new RepeatedEvents((event) => {
      this.#reasons.add(event.error.code)
      emit(event)
    })
  }

  handleFailure (error: TunnelError): void {
    if (!this.#reasons.has(error.code)) this.#repeated.note({ kind: 'origin-unreachable', error }, BURST)
  }

  handleSuccess (): void {
    if (this.#reasons.size === 0) return
    this.#reasons.clear()
    this.#emit({ kind: 'origin-reachable' })
  }

  stop (): void {
    this.#repeated.stop()
  }
}
