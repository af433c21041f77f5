import { ErrorCode, TunnelError } from '../base/errors.js'
import { Reason } from '../frame/layout.js'

/** What a peer's GOAWAY means here: ERR_TUNNEL_CLOSED for a drain, else why the peer ended the link. */
export function goAwayError (reason: Reason, text: string): TunnelError {
  // The sentence is the peer's: only printable characters of it are shown.
  const said = text.replace(/[^\x20-\x7e]+/g, ' ').trim()
  return new TunnelError(codeOf(reason), `The peer ended the link${said === '' ? '' : `: ${said}`}`)
}

/** What this side's GOAWAY means for a link whose handshake was not done. */
export function turnedAwayError (reason: Reason, text: string): TunnelError {
  return new TunnelError(codeOf(reason), `Turned the peer away${text === '' ? '' : `: ${text}`}`)
}

function codeOf (reason: Reason): ErrorCode {
  switch (reason) {
    case Reason.SHUTDOWN: return ErrorCode.CLOSED
    case Reason.BUSY: return ErrorCode.PEER_BUSY
    case Reason.VERSION: return ErrorCode.VERSION
    case Reason.LIMIT: return ErrorCode.LIMIT
    case Reason.UNAVAILABLE: return ErrorCode.UNAVAILABLE
    default: return ErrorCode.PROTOCOL
  }
}

/** The peer broke `rule`. */
export function protocolError (rule: string): TunnelError {
  return new TunnelError(ErrorCode.PROTOCOL, `Cannot go on with the link: the peer broke the protocol: ${rule}`)
}

/** How an error of this side's is called on the wire. What is named here the peer takes as final; the rest may pass. */
const FINAL_REASONS: Partial<Record<ErrorCode, Reason>> = {
  [ErrorCode.VERSION]: Reason.VERSION,
  [ErrorCode.UNAVAILABLE]: Reason.UNAVAILABLE,
  [ErrorCode.PROTOCOL]: Reason.PROTOCOL
}

export function goAwayReasonOf (error: TunnelError): Reason {
  return FINAL_REASONS[error.code] ?? Reason.LIMIT
}
