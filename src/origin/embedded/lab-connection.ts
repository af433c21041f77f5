import { STATUS_CODES } from 'node:http'
import { type Body, CollectedBody } from '../body.js'
import { BINARY, ECHO_MAX_BYTES, ECHO_TOO_LARGE, type FixedAnswer, route, TEXT } from '../routes.js'
import type { ContentSource } from './content-source.js'
import type { DateClock } from './dated-block.js'
import type { KnownRequest, KnownRequests, PreparedAnswer } from './known-requests.js'
import { type RequestHead, RequestRefusal } from './request-head.js'
import { type RequestHandler, RequestParser } from './request-parser.js'
import { ResponseWriter } from './response-writer.js'
import type { ServerChannel, ServerChannelHandler } from './server-channel.js'

const CONTINUE = Buffer.from('HTTP/1.1 100 Continue\r\n\r\n')

interface Input {
  readonly view: Uint8Array
  readonly release: () => void
  at: number
}

/** What all connections of one link share. */
export interface LinkParts {
  readonly content: ContentSource
  readonly known: KnownRequests
  readonly clock: DateClock
  /** Seconds since the link was made. */
  readonly tick: number
  /** The answer that is ready for such a request, or null. */
  prepared (method: string, target: string): PreparedAnswer | null
  forget (connection: LabConnection): void
}

/**
 * One client's connection: its requests are answered one after the other; while a response waits for its client, what
 * was sent meanwhile stays unreleased, and the client runs out of credit.
 */
export class LabConnection implements ServerChannelHandler, RequestHandler {
  readonly #link: LinkParts
  readonly #channel: ServerChannel
  readonly #parser = new RequestParser(this)
  readonly #writer: ResponseWriter
  readonly #inputs: Input[] = []
  #lastKnown: KnownRequest | null = null
  #head: RequestHead | null = null
  /** Body of the request at hand, where it is to be sent back. */
  #echo: CollectedBody | null = null
  #discardedBytes = 0
  /** Not all of a response is sent. */
  #isResponding = false
  /** The response at hand is the last one. */
  #isLast = false
  #clientEnded = false
  /** This side has ended: what still comes is thrown away. */
  #isEnded = false
  /** The link's tick when something last happened here. */
  #tick: number
  /** Of the channel, at that time. */
  #unconfirmedBytes = 0

  constructor (link: LinkParts, channel: ServerChannel) {
    this.#link = link
    this.#channel = channel
    this.#writer = new ResponseWriter(channel, link.content)
    this.#tick = link.tick
  }

  // --- From the channel

  onData (view: Uint8Array, release: () => void): void {
    this.#tick = this.#link.tick
    if (this.#isEnded) return release()
    const input = { view, release, at: 0 }
    if (this.#isResponding || this.#inputs.length > 0 || !this.#take(input)) this.#inputs.push(input)
    else release()
  }

  onEnd (): void {
    this.#clientEnded = true
    this.#finishIfIdle()
  }

  onReset (): void {
    this.#isEnded = true
    this.#dropInputs()
    this.#echo = null
    this.#link.forget(this)
  }

  onDone (): void {
    this.onReset()
  }

  onClaimable (): void {
    if (!this.#isResponding || this.#isEnded || !this.#writer.pump()) return
    this.#completeResponse()
    this.#takeInputs()
  }

  // --- From the link

  /** Called once a second. */
  checkTime ({ headTicks, bodyTicks, idleTicks, lingerTicks, stalledTicks }: TimeLimits): void {
    const { unconfirmedBytes } = this.#channel
    if (this.#isEnded && unconfirmedBytes !== this.#unconfirmedBytes) this.#tick = this.#link.tick
    this.#unconfirmedBytes = unconfirmedBytes
    const ticks = this.#link.tick - this.#tick
    if (this.#isEnded) {
      if (ticks <= (unconfirmedBytes > 0 ? stalledTicks : lingerTicks)) return
      this.#channel.reset()
      this.#link.forget(this)
    } else if (this.#isResponding) {
      // A client may read as slowly as it likes.
      this.#tick = this.#link.tick
    } else if (this.#parser.isInHead) {
      if (ticks > headTicks) this.#refuse(new RequestRefusal(408, 'its head did not come in time'))
    } else if (!this.#parser.isIdle) {
      if (ticks > bodyTicks) this.#refuse(new RequestRefusal(408, 'its body did not come in time'))
    } else if (ticks > idleTicks) {
      this.#end()
    }
  }

  drain (): void {
    this.#isLast = true
    if (!this.#isResponding && this.#parser.isIdle && this.#inputs.length === 0) this.#end()
  }

  // --- Requests

  /** Reads as far as responses allow. True: all of it is read, or of no use any more. */
  #take (input: Input): boolean {
    const { view } = input
    const end = view.length
    try {
      while (input.at < end && !this.#isResponding && !this.#isEnded) {
        const known = this.#parser.isIdle ? this.#link.known.find(view, input.at, end, this.#lastKnown) : null
        if (known === null) input.at = this.#parser.feed(view, input.at, end)
        else {
          input.at += known.bytes.length
          this.#lastKnown = known
          this.#isResponding = true
          if (this.#writer.writeBlock(known.block, known.contentBytes)) this.#completeResponse()
        }
      }
    } catch (error) {
      if (!(error instanceof RequestRefusal)) throw error
      this.#refuse(error)
    }
    return input.at === end || this.#isEnded
  }

  #takeInputs (): void {
    while (!this.#isResponding && this.#inputs.length > 0) {
      const input = this.#inputs[0]!
      if (!this.#take(input)) return
      // Whatever ended this side has released them all.
      if (this.#inputs[0] !== input) return
      this.#inputs.shift()
      input.release()
    }
    this.#finishIfIdle()
  }

  onHead (head: RequestHead, bytes: Uint8Array | null, start: number, end: number): void {
    const { method, target, bodyBytes, isChunked } = head
    this.#head = head
    this.#discardedBytes = 0
    if (bodyBytes > ECHO_MAX_BYTES) return this.#refuseFixed(head)
    if (method === 'POST' && pathOf(target) === '/echo') this.#echo = new CollectedBody(ECHO_MAX_BYTES)
    const hasBody = isChunked || bodyBytes > 0
    // Do not ask for a body that will not be used.
    if (hasBody && head.expectsContinue && this.#echo === null) return this.#answer(head, true)
    if (hasBody && head.expectsContinue) this.#writeContinue()
    if (bytes === null || hasBody || !head.keepAlive || head.isHttp10) return
    const prepared = this.#link.prepared(method, target)
    if (prepared !== null) this.#link.known.add(bytes, start, end, prepared)
  }

  onBody (view: Uint8Array, start: number, end: number): void {
    if (this.#isLast && this.#isResponding) return
    if (this.#echo === null) this.#discardedBytes += end - start
    else if (this.#echo.tryAppend(view.subarray(start, end))) return
    if (this.#echo !== null || this.#discardedBytes > ECHO_MAX_BYTES) this.#refuseFixed(this.#head!)
  }

  onRequest (): void {
    if (this.#isResponding || this.#isEnded) return
    this.#answer(this.#head!, false)
  }

  // --- Responses

  #answer (head: RequestHead, mustClose: boolean): void {
    const { method, target } = head
    if (!head.keepAlive || mustClose) this.#isLast = true
    const prepared = this.#isLast || head.isHttp10 ? null : this.#link.prepared(method, target)
    if (prepared !== null) {
      this.#isResponding = true
      if (this.#writer.writeBlock(prepared.block, prepared.contentBytes)) this.#completeResponse()
      return
    }
    const answer = route(method, pathOf(target))
    if (answer.kind === 'fixed') return this.#sendFixed(answer, method === 'HEAD')
    const isHead = method === 'HEAD'
    if (answer.kind === 'content') {
      return this.#send(
        200,
        ['Content-Type', answer.contentType],
        answer.body.bytes,
        isHead ? 0 : answer.body.bytes,
        null
      )
    }
    const body = this.#echo!
    this.#echo = null
    this.#send(200, ['Content-Type', head.contentType ?? BINARY], body.bytes, 0, body)
  }

  #sendFixed ({ status, headers, body }: FixedAnswer, isHead: boolean): void {
    // The only body that is not text is that of /large, which is the content sequence.
    const bytes = Buffer.byteLength(body)
    if (typeof body === 'string') this.#send(status, headers, bytes, 0, isHead ? null : wholeText(body))
    else this.#send(status, headers, bytes, isHead ? 0 : bytes, null)
  }

  #send (status: number, headers: readonly string[], length: number, contentBytes: number, body: Body | null): void {
    let head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n`
    for (let i = 0; i < headers.length; i += 2) {
      if (headers[i] !== 'Connection') head += `${headers[i]}: ${headers[i + 1]}\r\n`
    }
    head += `Content-Length: ${length}\r\nDate: ${this.#link.clock.text}\r\n${this.#connectionField()}\r\n`
    this.#isResponding = true
    if (this.#writer.write(Buffer.from(head, 'latin1'), contentBytes, body)) this.#completeResponse()
  }

  /** A connection persists by default with HTTP/1.1, and ends with HTTP/1.0 (RFC 9112 section 9.3). */
  #connectionField (): string {
    if (this.#isLast) return 'Connection: close\r\n'
    return this.#head?.isHttp10 === true ? 'Connection: keep-alive\r\n' : ''
  }

  /**
   * A claim of its own: it leaves before a body comes. Without memory just now the client goes on without it after a
   * time (RFC 9110 section 10.1.1).
   */
  #writeContinue (): void {
    const claim = this.#channel.claim(CONTINUE.length)
    if (claim === null || claim.length < CONTINUE.length) return
    claim.set(CONTINUE)
    this.#channel.commit(CONTINUE.length, true)
  }

  #refuse ({ status, message }: RequestRefusal): void {
    this.#echo = null
    this.#isLast = true
    // What was being sent cannot be taken back.
    if (this.#isResponding) return
    this.#send(status, ['Content-Type', TEXT], Buffer.byteLength(message), 0, wholeText(message))
  }

  #refuseFixed (head: RequestHead): void {
    this.#echo = null
    this.#isLast = true
    this.#sendFixed(ECHO_TOO_LARGE, head.method === 'HEAD')
  }

  #completeResponse (): void {
    this.#isResponding = false
    if (this.#isLast) this.#end()
  }

  /** The client has ended, and everything it asked for is answered. */
  #finishIfIdle (): void {
    if (!this.#clientEnded || this.#isEnded || this.#isResponding || this.#inputs.length > 0) return
    if (this.#parser.isIdle) this.#end()
    else this.#refuse(new RequestRefusal(400, 'the client ended inside it'))
  }

  /**
   * This side sends no more. What the client still sends is read and dropped for a while, so that the last response is
   * not lost to a reset.
   */
  #end (): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#tick = this.#link.tick
    this.#channel.end()
    this.#dropInputs()
  }

  #dropInputs (): void {
    for (const { release } of this.#inputs.splice(0)) release()
  }
}

/** In ticks of the link, which are seconds. */
export interface TimeLimits {
  readonly headTicks: number
  /** Without a byte of the body. */
  readonly bodyTicks: number
  readonly idleTicks: number
  /** After this side's end, from the client's last progress on: while it has taken everything, and does not end, */
  readonly lingerTicks: number
  /** and while it has not taken everything. */
  readonly stalledTicks: number
}

function wholeText (text: string): Body {
  const bytes = Buffer.from(text)
  return { bytes: bytes.length, viewAt: (offset) => bytes.subarray(offset) }
}

/** Of a target in absolute form (RFC 9112 section 3.2.2) the path and query count. */
function pathOf (target: string): string {
  const scheme = /^https?:\/\/[^/?]*/i.exec(target)
  if (scheme === null) return target
  const rest = target.slice(scheme[0].length)
  return rest.startsWith('/') ? rest : `/${rest}`
}
