import type { TunnelEvent } from './tunnel.js'

const INTERVAL_MS = 60_000

export type RepeatedEvent = Extract<TunnelEvent, { readonly count: number }>

type WithoutCount<E> = E extends RepeatedEvent ? Omit<E, 'count'> : never

/**
 * Events that clients, strangers or an origin can cause without end. Of each kind and reason the first ones are emitted
 * at once, and then one a minute, with how many there were.
 */
export class RepeatedEvents {
  readonly #emit: (event: RepeatedEvent) => void
  readonly #intervalMs: number
  readonly #series = new Map<string, Series>()

  constructor (emit: (event: RepeatedEvent) => void, intervalMs = INTERVAL_MS) {
    this.#emit = emit
    this.#intervalMs = intervalMs
  }

  /** `burst`: how many are emitted at once. */
  note (event: WithoutCount<RepeatedEvent>, burst = 1): void {
    const key = `${event.kind} ${event.error.code} ${event.error.cure}`
    let series = this.#series.get(key)
    if (series === undefined) {
      const timer = setInterval(() => { this.#emitSuppressed(key) }, this.#intervalMs).unref()
      series = { emitted: 0, suppressed: 0, event, timer }
      this.#series.set(key, series)
    }
    if (series.emitted++ < burst) return this.#emit({ ...event, count: 1 } as RepeatedEvent)
    series.suppressed++
    series.event = event
  }

  /** Emits what was suppressed. */
  stop (): void {
    for (const [key, { timer }] of [...this.#series]) {
      this.#emitSuppressed(key)
      clearInterval(timer)
    }
    this.#series.clear()
  }

  #emitSuppressed (key: string): void {
    const series = this.#series.get(key)!
    const { suppressed, event, timer } = series
    if (suppressed === 0) {
      clearInterval(timer)
      this.#series.delete(key)
      return
    }
    series.suppressed = 0
    this.#emit({ ...event, count: suppressed } as RepeatedEvent)
  }
}

interface Series {
  emitted: number
  /** Since the last one that was emitted. */
  suppressed: number
  event: WithoutCount<RepeatedEvent>
  readonly timer: NodeJS.Timeout
}
