import type { ExecutionContext } from 'ava'
import { ErrorCode, TunnelError } from '../../base/errors.js'
import { SIDES, type SideName, type TransportHarness, type TransportPair } from './harness.js'
import { firstDifference } from './recorder.js'
import { Side, turn } from './side.js'

/**
 * How the parts of the suite register a test. `verify()` of the link is called after the body, so that it is never
 * forgotten.
 */
export interface TransportSuite {
  readonly harness: TransportHarness
  /** A test on a link that neither side has started. `pieceBytes`: see `PairOptions`. */
  add (title: string, body: (t: ExecutionContext, link: Link) => Promise<void>, pieceBytes?: () => number): void
}

/** A linked pair within one test. `verify()` at its end checks what must hold for every test. */
export class Link {
  readonly a: Side
  readonly b: Side
  readonly pair: TransportPair
  readonly #killed = new Set<SideName>()

  constructor (pair: TransportPair) {
    this.pair = pair
    this.a = new Side(pair.a)
    this.b = new Side(pair.b)
  }

  static async make (t: ExecutionContext, harness: TransportHarness, pieceBytes?: () => number): Promise<Link> {
    const link = new Link(await harness.makePair(pieceBytes === undefined ? {} : { pieceBytes }))
    t.teardown(async () => {
      link.end()
      await link.pair.free()
    })
    return link
  }

  start (maxPayloadBytes?: number): void {
    for (const name of SIDES) {
      const { transport, recorder } = this[name]
      transport.start(recorder)
      if (maxPayloadBytes !== undefined) transport.setMaxPayloadBytes(maxPayloadBytes)
    }
  }

  kill (side: SideName): void {
    this.#killed.add(side)
    this.pair.kill(side)
  }

  /** Waits until each side has received all that the other has sent, and compares. */
  async untilDelivered (t: ExecutionContext): Promise<void> {
    for (const [from, to] of [[this.a, this.b], [this.b, this.a]] as const) {
      await to.recorder.untilFrames(from.sent.length)
      t.is(firstDifference(from.sent, to.recorder.frames), null)
    }
  }

  end (): void {
    for (const name of SIDES) this[name].transport.abort(new TunnelError(ErrorCode.CLOSED, 'The test is over'))
  }

  /** Ends the link and checks that each side was told exactly once, and nothing afterwards. */
  async verify (t: ExecutionContext): Promise<void> {
    this.end()
    const alive = SIDES.filter((name) => !this.#killed.has(name))
    for (const name of alive) await this[name].recorder.untilClose()
    for (let i = 0; i < 5; i++) await turn()
    for (const name of SIDES) t.deepEqual(this[name].recorder.violations, [], `side ${name}`)
    for (const name of alive) t.is(this[name].recorder.closes.length, 1, `side ${name}`)
    for (const name of SIDES) t.is(this[name].transport.counters.exhausted, this[name].refusals)
  }
}

export function other (side: SideName): SideName {
  return side === 'a' ? 'b' : 'a'
}
