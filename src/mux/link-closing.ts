import { ErrorCode, TunnelError } from '../base/errors.js'
import { Reason } from '../frame/layout.js'
import type { Transport } from '../transport/transport.js'
import { goAwayError } from './go-away.js'

/** How long a link may take to close in good order before it is cut. */
const LINGER_MS = 1000

/** How a link ends: who has said GOAWAY, closing in good order for as long as that takes, and what the end means. */
export class LinkClosing {
  /** This side has said GOAWAY. */
  isSent = false
  readonly #transport: Transport
  #received: TunnelError | null = null
  #lingerTimer: NodeJS.Timeout | null = null

  constructor (transport: Transport) {
    this.#transport = transport
  }

  /** Either side has said GOAWAY. */
  get isSaid (): boolean { return this.isSent || this.#received !== null }

  /** The peer's GOAWAY. False: it came before. */
  receive (reason: Reason, text: string): boolean {
    if (this.#received !== null) return false
    this.#received = goAwayError(reason, text)
    return true
  }

  /**
   * Closes the transport after what was sent has left, and cuts it where that takes too long. Say it again to change
   * nothing.
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
   * What the end means, `error` being that of the medium. null: it was in good order. Why the peer ends the link it
   * knows best.
   */
  errorOf (error: TunnelError | null, { peerSeen }: { readonly peerSeen: boolean }): TunnelError | null {
    if (this.#received !== null && this.#received.code !== ErrorCode.CLOSED) return this.#received
    if (error !== null) return error
    if (this.isSaid) return null
    return new TunnelError(ErrorCode.PEER_CLOSED, peerSeen
      ? 'Cannot go on with the link: the peer closed it without a go-away; it was probably killed'
      : 'Cannot shake hands: the peer closed the link before its HELLO')
  }
}
