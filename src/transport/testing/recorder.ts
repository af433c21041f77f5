import type { TunnelError } from '../../base/errors.js'
import type { FrameHeader } from '../../frame/header.js'
import type { TransportHandler } from '../transport.js'

/** A frame by value. */
export interface Frame {
  readonly type: number
  readonly channelId: number
  readonly argument: number
  readonly flags: number
  readonly payload: Uint8Array
}

/** A payload that was not released yet. */
export interface KeptPayload {
  /** The transport's memory. */
  readonly view: Uint8Array
  /** What it held when it came. */
  readonly copy: Uint8Array
  readonly release: () => void
}

/** Notes all that a transport tells its handler, and lets tests wait for it. */
export class Recorder implements TransportHandler {
  readonly frames: Frame[] = []
  readonly kept: KeptPayload[] = []
  readonly closes: Array<TunnelError | null> = []
  /** What a transport must never do. */
  readonly violations: string[] = []
  writableCalls = 0
  /** Whether the payload of this frame is kept; otherwise it is released at once. */
  keeps: (index: number) => boolean = () => false
  /** Called after a frame was noted. */
  onEach: () => void = () => {}
  readonly #waiters = new Set<() => void>()

  get closed (): boolean {
    return this.closes.length > 0
  }

  onFrame (
    { type, channelId, argument, flags, payloadBytes }: FrameHeader,
    view: Uint8Array,
    release: () => void
  ): void {
    this.#check('onFrame()')
    if (payloadBytes !== view.length) {
      this.violations.push(`a payload of ${view.length} bytes whose header says ${payloadBytes}`)
    }
    const copy = new Uint8Array(view)
    if (this.keeps(this.frames.length)) this.kept.push({ view, copy, release })
    this.frames.push({ type, channelId, argument, flags, payload: copy })
    if (this.kept.at(-1)?.copy !== copy) release()
    this.onEach()
    this.#wake()
  }

  onWritable (): void {
    this.#check('onWritable()')
    this.writableCalls++
    this.#wake()
  }

  onClose (error: TunnelError | null): void {
    this.#check('onClose()')
    this.closes.push(error)
    this.#wake()
  }

  /** Resolves when `condition` holds; rejects when it does not and the link is closed. */
  until (condition: () => boolean, what: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const check = () => {
        if (condition()) resolve()
        else if (this.closed) {
          reject(
            new LinkClosed(
              `Waited in vain for ${what}: the link closed with ${String(this.closes[0])} after ` +
              `${this.frames.length} frames`
            )
          )
        } else return
        this.#waiters.delete(check)
      }
      this.#waiters.add(check)
      check()
    })
  }

  untilFrames (count: number): Promise<void> {
    return this.until(() => this.frames.length >= count, `${count} frames`)
  }

  /** The next call of `onWritable()`. */
  untilWritableCall (): Promise<void> {
    const before = this.writableCalls
    return this.until(() => this.writableCalls > before, 'onWritable()')
  }

  async untilClose (): Promise<TunnelError | null> {
    await this.until(() => this.closed, 'onClose()')
    return this.closes[0]!
  }

  #check (call: string): void {
    if (this.closed) this.violations.push(`${call} after onClose()`)
  }

  #wake (): void {
    for (const check of [...this.#waiters]) check()
  }
}

export class LinkClosed extends Error {}

/** Says where two lists of frames begin to differ, or null. */
export function firstDifference (sent: readonly Frame[], received: readonly Frame[]): string | null {
  for (let i = 0; i < Math.max(sent.length, received.length); i++) {
    const one = sent[i]
    const other = received[i]
    if (one === undefined || other === undefined) return `${sent.length} frames sent, ${received.length} received`
    if (describe(one) !== describe(other)) return `frame ${i} was ${describe(one)} and is ${describe(other)}`
    if (Buffer.compare(one.payload, other.payload) !== 0) {
      return `the payload of frame ${i} (${describe(one)}) has changed`
    }
  }
  return null
}

function describe ({ type, channelId, argument, flags, payload }: Frame): string {
  return `type ${type}, channel ${channelId}, argument ${argument}, flags ${flags}, ${payload.length} bytes`
}
