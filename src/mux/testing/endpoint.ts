import type { Channel, ChannelHandler } from '../channel.js'

/**
 * One end of a channel as tests use it: sends a given body, keeps a copy of what it receives, and notes what it is
 * told.
 */
export class Endpoint implements ChannelHandler {
  channel!: Channel
  /** `accept`, `end`, `done`, `reset 4` (with its reason), in the order they came. */
  readonly events: string[] = []
  readonly received: Uint8Array[] = []
  receivedBytes = 0
  /** While true, what is received is not released. */
  keeps = false
  onReceived: () => void = () => {}
  #kept: Array<() => void> = []
  #body: Uint8Array = new Uint8Array(0)
  #position = 0
  #pieceBytes: () => number = () => Infinity
  #endsAfter = false

  get body (): Uint8Array {
    return Buffer.concat(this.received)
  }

  get unsentBytes (): number {
    return this.#body.length - this.#position
  }

  get ended (): boolean {
    return this.events.includes('end')
  }

  get resets (): number {
    return this.events.filter((event) => event.startsWith('reset')).length
  }

  /** Sends `body` as credit and memory allow, in claims of at most `pieceBytes()`. */
  send (
    body: Uint8Array,
    { end = false, pieceBytes = () => Infinity }: { end?: boolean; pieceBytes?: () => number } = {}
  ): void {
    this.#body = body
    this.#position = 0
    this.#pieceBytes = pieceBytes
    this.#endsAfter = end
    this.#continue()
  }

  /** Releases what was kept, in the order it came or, where `shuffle` is given, in the order that it makes. */
  releaseKept (shuffle: (releases: Array<() => void>) => Array<() => void> = (releases) => releases): void {
    for (const release of shuffle(this.#kept.splice(0))) release()
  }

  onAccept (): void {
    this.events.push('accept')
  }

  onEnd (): void {
    this.events.push('end')
  }

  onDone (): void {
    this.events.push('done')
  }

  onReset (reason: number): void {
    this.events.push(`reset ${reason}`)
  }

  onClaimable (): void {
    this.#continue()
  }

  onData (view: Uint8Array, release: () => void): void {
    this.received.push(Uint8Array.from(view))
    this.receivedBytes += view.length
    if (this.keeps) this.#kept.push(release)
    else release()
    this.onReceived()
  }

  #continue (): void {
    while (this.#position < this.#body.length) {
      const wanted = Math.min(this.#body.length - this.#position, this.#pieceBytes())
      const view = this.channel.claim(wanted)
      if (view === null) return
      view.set(this.#body.subarray(this.#position, this.#position + view.length))
      this.#position += view.length
      this.channel.commit(view.length)
    }
    if (this.#endsAfter) this.channel.end()
  }
}
