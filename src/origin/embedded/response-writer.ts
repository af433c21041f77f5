import type { Body } from '../body.js'
import type { ContentSource } from './content-source.js'
import type { DatedBlock } from './dated-block.js'
import type { ServerChannel } from './server-channel.js'

/** Copied pieces of a response are this long at most, so that one channel does not fill the link's memory in one go. */
const COPIED_PIECE_BYTES = 65_536

/**
 * Sends one response after the other on a channel, as far as credit and memory allow; `pump()` goes on with the rest.
 * It keeps no copy of a body.
 */
export class ResponseWriter {
  readonly #channel: ServerChannel
  readonly #content: ContentSource
  /** What is to be copied first, and how far that is. */
  #head: Uint8Array | null = null
  #headAt = 0
  /** Then the content sequence, */
  #contentAt = 0
  #contentEnd = 0
  /** or a body. */
  #body: Body | null = null
  #bodyAt = 0

  constructor (channel: ServerChannel, content: ContentSource) {
    this.#channel = channel
    this.#content = content
  }

  /** A block, and `contentBytes` of the content sequence behind it. Returns whether all of it is sent. */
  writeBlock (block: DatedBlock, contentBytes: number): boolean {
    const { constant } = block
    this.#contentAt = 0
    this.#contentEnd = contentBytes
    const sent = constant === null ? 0 : this.#channel.sendConstant(constant, 0, constant.bytes)
    if (sent === block.length) return contentBytes === 0 || this.pump()
    // What could not be sent is kept as it is now: its place in the link's memory may change before the rest of it
    // leaves.
    this.#head = new Uint8Array(block.bytes.subarray(sent))
    this.#headAt = 0
    return this.pump()
  }

  /** A head, and behind it `contentBytes` of the content sequence or a body. */
  write (head: Uint8Array, contentBytes: number, body: Body | null): boolean {
    this.#head = head
    this.#headAt = 0
    this.#contentAt = 0
    this.#contentEnd = contentBytes
    this.#body = body
    this.#bodyAt = 0
    return this.pump()
  }

  /**
   * Goes on where credit or memory ended. Returns whether all of it is sent; otherwise the channel's `onClaimable()`
   * follows.
   */
  pump (): boolean {
    while (this.#head !== null) {
      if (!this.#copyPiece()) return false
    }
    while (this.#contentAt < this.#contentEnd) {
      const sent = this.#content.trySend(this.#channel, this.#contentAt, this.#contentEnd)
      if (sent === 0) return false
      if (sent > 0) this.#contentAt += sent
      else if (!this.#copyPiece()) return false
    }
    while (this.#body !== null) {
      if (!this.#copyPiece()) return false
    }
    return true
  }

  /** One claim: as much of head and body as goes into it. */
  #copyPiece (): boolean {
    const headLeft = this.#head === null ? 0 : this.#head.length - this.#headAt
    const copiesContent = !this.#content.isConstant
    const bodyLeft =
      this.#body !== null ? this.#body.bytes - this.#bodyAt : copiesContent ? this.#contentEnd - this.#contentAt : 0
    const wanted = Math.min(headLeft + bodyLeft, COPIED_PIECE_BYTES)
    if (wanted === 0) {
      this.#body = null
      return true
    }
    const claim = this.#channel.claim(wanted)
    if (claim === null) return false
    const room = Math.min(claim.length, wanted)
    let used = 0
    if (this.#head !== null) {
      used = Math.min(headLeft, room)
      claim.set(this.#head.subarray(this.#headAt, this.#headAt + used))
      this.#headAt += used
      if (this.#headAt === this.#head.length) this.#head = null
    }
    while (used < room) {
      const view =
        this.#body !== null ? this.#body.viewAt(this.#bodyAt) : this.#content.viewAt(this.#contentAt, this.#contentEnd)
      const piece = view.length > room - used ? view.subarray(0, room - used) : view
      claim.set(piece, used)
      used += piece.length
      if (this.#body !== null) this.#bodyAt += piece.length
      else this.#contentAt += piece.length
    }
    if (this.#body !== null && this.#bodyAt === this.#body.bytes) this.#body = null
    this.#channel.commit(used, true)
    return true
  }
}
