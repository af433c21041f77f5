import type { TunnelEvent } from './tunnel.js'

const INTERVAL_MS = 60_000

export type RepeatedEvent = Extract<TunnelEvent, { readonly count: number }>

type WithoutCount<E> = E extends RepeatedEvent ? Omit<E, 'count'> : never

/**
 * Events that clients, strangers or an origin can cause without end. Of each kind and reason the first ones are told
 * at once, and then one a minute,
 * with how many there were.
 */
export class RepeatedEvents {
  readonly #emit: (event: RepeatedEvent) => void
  readonly #intervalMs: number
  readonly #series = new Map<string, Series>()

  constructor (emit: (event: RepeatedEvent) => void, intervalMs = INTERVAL_MS) {
    this.#emit = emit
    this.#intervalMs = intervalMs
  }

  /** `burst`: how many are told at once. */
  note (event: WithoutCount<RepeatedEvent>, burst = 1): void {
    const key = `${event.kind} ${event.error.code} ${event.error.cure}`
    let series = this.#series.get(key)
    if (series === undefined) {
      series = { told: 0, held: 0, event, timer: setInterval(() => { this.#tellHeld(key) }, this.#intervalMs).unref() }
      this.#series.set(key, series)
    }
    if (series.told++ < burst) return this.#emit({ ...event, count: 1 } as RepeatedEvent)
    series.held++
    series.event = event
  }

  /** Tells what was held back. */
  stop (): void {
    for (const [key, { timer }] of [...this.#series]) {
      this.#tellHeld(key)
      clearInterval(timer)
    }
    this.#series.clear()
  }

  #tellHeld (key: string): void {
    const series = this.#series.get(key)!
    const { held, event, timer } = series
    if (held === 0) {
      clearInterval(timer)
      this.#series.delete(key)
      return
    }
    series.held = 0
    this.#emit({ ...event, count: held } as RepeatedEvent)
  }
}

interface Series {
  told: number
  /** Since the last one that was told. */
  held: number
  event: WithoutCount<RepeatedEvent>
  readonly timer: NodeJS.Timeout
}
