import { ErrorCode, TunnelError } from '../base/errors.js'
import { FrameType, GOAWAY_MAX_BYTES, Reason } from '../frame/layout.js'
import type { Transport } from '../transport/transport.js'
import { goAwayError, goAwayReasonOf, turnedAwayError } from './go-away.js'
import type { Outgoing } from './outgoing.js'

/** How long a link may take to close in good order before it is cut. */
const LINGER_MS = 1000

/** How a link ends: which side has sent GOAWAY, how long closing in good order may take, and what the cause was. */
export class LinkClosing {
  readonly #transport: Transport
  readonly #outgoing: Pick<Outgoing, 'send'>
  /** What this side's GOAWAY says to a peer that is turned away. */
  #sent: TunnelError | null = null
  #received: TunnelError | null = null
  #lingerTimer: NodeJS.Timeout | null = null

  constructor (transport: Transport, outgoing: Pick<Outgoing, 'send'>) {
    this.#transport = transport
    this.#outgoing = outgoing
  }

  /** This side has sent GOAWAY. */
  get isSent (): boolean { return this.#sent !== null }

  /** Either side has sent GOAWAY. */
  get isDraining (): boolean { return this.#sent !== null || this.#received !== null }

  /** Sends GOAWAY. False: this side has done so before. */
  trySend (reason: Reason, text: string): boolean {
    if (this.#sent !== null) return false
    this.#sent = turnedAwayError(reason, text)
    this.#send(reason, text)
    return true
  }

  /** Tells the peer why this side ends the link, whatever was said before. */
  sendCause (error: TunnelError): void {
    this.#send(goAwayReasonOf(error), error.message)
  }

  #send (reason: Reason, text: string): void {
    this.#outgoing.send(FrameType.GOAWAY, 0, reason, Buffer.from(text).subarray(0, GOAWAY_MAX_BYTES))
  }

  /** The peer's GOAWAY. False: it came before. */
  receive (reason: Reason, text: string): boolean {
    if (this.#received !== null) return false
    this.#received = goAwayError(reason, text)
    return true
  }

  /**
   * Closes the transport after what was sent has left, and cuts it where that takes too long. Calling it again has
   * no effect.
   */
  closeTransport (): void {
    if (this.#lingerTimer !== null) return
    this.#lingerTimer = setTimeout(() => {
      this.#transport.abort(
        new TunnelError(
          ErrorCode.PEER_SILENT,
          `Cannot close the link in good order: the peer did not close its side within ${LINGER_MS} ms`
        )
      )
    }, LINGER_MS)
    this.#transport.close()
  }

  /** The transport has closed. */
  stop (): void {
    if (this.#lingerTimer !== null) clearTimeout(this.#lingerTimer)
  }

  /**
   * Why the link ended, `error` being what its medium says; null: in good order. The peer knows its own reasons best.
   * A link that was never attached has not ended in good order.
   */
  causeOf (error: TunnelError | null, wasAttached: boolean): TunnelError | null {
    if (this.#received !== null && this.#received.code !== ErrorCode.CLOSED) return this.#received
    if (error !== null) return error
    if (this.isDraining) return wasAttached ? null : this.#received ?? this.#sent
    return new TunnelError(ErrorCode.PEER_CLOSED, wasAttached
      ? 'Cannot go on with the link: the peer closed it without a go-away; it was probably killed'
      : 'Cannot shake hands: the peer closed the link before its HELLO')
  }
}
