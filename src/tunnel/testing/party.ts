import { contentBytes, PERIOD_BYTES } from '../../base/content.js'
import { BROKEN, NOTHING_NOW, type RawSocket } from './raw-tcp.js'

/** What one end of a connection does, in order. A step that waits for bytes is over when there will be none, too. */
export type Step =
  /** Sends so many bytes; ends early when the connection breaks. `sendReading`: reads what comes meanwhile. */
  | readonly ['send' | 'sendReading', number]
  /** Sends as many of so many bytes as are taken until the other end's windows are full. */
  | readonly ['offer', number]
  /** Reads so many bytes, or until so many have come in all. */
  | readonly ['read' | 'readUpTo', number]
  /** Reads to the end in pieces of so many bytes, with a pause in ms between them if one is given. */
  | readonly ['readEnd', number, number?]
  | readonly ['pause', number]
  /** Waits until the kernel at the other end of the wire has all that was sent. */
  | readonly ['taken']
  /** Waits until bytes lie unread. */
  | readonly ['unread']
  /** Waits for a reset that comes after the end. */
  | readonly ['broken']
  /** Tells the other end, which waits with `hear`. */
  | readonly ['say' | 'hear', string]
  | readonly ['shutdown' | 'reset' | 'close']

/** What one end has sent. */
export interface Sent {
  readonly sentBytes: number
  /** Of those, how many must arrive. */
  readonly promisedBytes: number
}

/** What reached one end. */
export interface Reception {
  /** Bytes that do not come: the sender's kernel had been told that they were taken, or no reset cut them off. */
  readonly lost: number
  /** What came is what was sent, in order. */
  readonly isIntact: boolean
  /** `open`: the script does not look for it. */
  readonly end: 'open' | 'fin' | 'rst' | 'fin, rst'
  /** The step at which the script hangs. */
  readonly stuckAt?: string
}

/** The number by which an origin knows which script a connection belongs to; sent first. */
export const TAG_BYTES = 8

/** A step may take so long, beside busy processes. */
const PATIENCE_MS = 30_000
/** Looks without a result that cost a turn of the loop each; the next ones wait for a millisecond. */
const QUICK_LOOKS = 50
/** An offer is over when so many looks found no room. */
const OFFER_LOOKS = 70

const periods = contentBytes(2 * PERIOD_BYTES)
const PIECE_BYTES = PERIOD_BYTES

/** One end of a connection. Its bytes are the content from a position that differs by connection and direction. */
export class Party implements Sent {
  readonly #socket: RawSocket
  /** What the two ends have told each other. */
  readonly #said: Set<string>
  readonly #tagBytes: number
  readonly #sendOffset: number
  readonly #receiveOffset: number
  sentBytes = 0
  #receivedBytes = 0
  promisedBytes = 0
  #isIntact = true
  #ended = false
  #broke = false
  /** Nothing more can be read. */
  #drained = false
  #looksForEnd = false
  #stuckAt: string | undefined

  constructor (name: 'client' | 'origin', socket: RawSocket, said: Set<string>, id: number) {
    this.#socket = socket
    this.#said = said
    const offsets = [id * 7919 % PERIOD_BYTES, (id * 104_729 + 17) % PERIOD_BYTES] as const
    ;[this.#sendOffset, this.#receiveOffset] = name === 'client' ? offsets : [offsets[1], offsets[0]]
    this.#tagBytes = name === 'client' ? TAG_BYTES : 0
  }

  async run (steps: readonly Step[]): Promise<void> {
    for (const [i, step] of steps.entries()) {
      if (await this.#perform(step)) continue
      const bytes = `${this.sentBytes} bytes sent, ${this.#receivedBytes} received`
      this.#stuckAt = `step ${i} (${step.join(' ')}) after ${bytes}`
      return
    }
  }

  /** What reached this end of what `sender` sent. */
  reception (sender: Sent): Reception {
    const ends = [...this.#ended ? ['fin'] : [], ...this.#broke ? ['rst'] : []].join(', ')
    return {
      lost: this.#looksForEnd ? Math.max(0, sender.promisedBytes - this.#receivedBytes) : 0,
      isIntact: this.#isIntact && this.#receivedBytes <= sender.sentBytes,
      end: !this.#looksForEnd || ends === '' ? 'open' : ends as Reception['end'],
      ...this.#stuckAt === undefined ? {} : { stuckAt: this.#stuckAt }
    }
  }

  /** Returns false when it takes far too long. */
  async #perform (step: Step): Promise<boolean> {
    const [verb, argument, pauseMs] = step
    switch (verb) {
      case 'send': return await this.#send(argument)
      case 'sendReading': return await this.#send(argument, () => { this.#read(PIECE_BYTES) })
      case 'offer': return await this.#offer(argument)
      case 'read': return await this.#readUpTo(this.#receivedBytes + argument)
      case 'readUpTo': return await this.#readUpTo(argument)
      case 'readEnd':
        this.#looksForEnd = true
        while (!this.#drained) {
          if (!await until(() => this.#read(argument) || this.#drained)) return false
          await pause(pauseMs)
        }
        return true
      case 'pause': await pause(argument); return true
      case 'taken': return await until(() => this.#broke || this.#ackedBytes >= this.sentBytes)
      case 'unread': return await until(() => this.#socket.hasUnread)
      case 'broken': return await until(() => { this.#broke ||= this.#socket.takeError(); return this.#broke })
      case 'hear': return await until(() => this.#said.has(argument))
      case 'say': this.#said.add(argument); return true
      case 'shutdown': this.promisedBytes = this.sentBytes; this.#socket.shutdown(); return true
      case 'reset': this.promisedBytes = this.#ackedBytes; this.#socket.reset(); return true
      case 'close':
        // With something unread, or behind a reset, this is a reset.
        this.promisedBytes = this.#broke || this.#socket.hasUnread ? this.#ackedBytes : this.sentBytes
        this.#socket.close()
        return true
    }
  }

  /** Of the bytes sent, what the kernel at the other end of the wire has. */
  get #ackedBytes (): number {
    return Math.max(0, Math.min(this.sentBytes, this.#socket.ackedBytes - this.#tagBytes))
  }

  async #send (bytes: number, meanwhile = () => {}): Promise<boolean> {
    const goal = this.sentBytes + bytes
    return await until(() => {
      while (this.sentBytes < goal && this.#trySend(goal));
      meanwhile()
      return this.sentBytes >= goal || this.#broke
    })
  }

  async #readUpTo (goal: number): Promise<boolean> {
    return await until(() => {
      while (this.#receivedBytes < goal && this.#read(goal - this.#receivedBytes));
      return this.#receivedBytes >= goal || this.#drained
    })
  }

  async #offer (bytes: number): Promise<boolean> {
    const goal = this.sentBytes + bytes
    for (let looks = 0; looks < OFFER_LOOKS && this.sentBytes < goal && !this.#broke; looks++) {
      while (this.sentBytes < goal && this.#trySend(goal)) looks = 0
      await turn(looks)
    }
    return true
  }

  /** Returns whether anything was taken. */
  #trySend (goal: number): boolean {
    const from = (this.#sendOffset + this.sentBytes) % PERIOD_BYTES
    const taken = this.#socket.send(periods.subarray(from, from + Math.min(goal - this.sentBytes, PIECE_BYTES)))
    if (taken === BROKEN) this.#broke = true
    if (taken <= 0) return false
    this.sentBytes += taken
    return true
  }

  /** Returns whether anything came. */
  #read (maxBytes: number): boolean {
    if (this.#drained) return false
    const bytes = this.#socket.read(Math.min(maxBytes, PIECE_BYTES))
    if (bytes === NOTHING_NOW) return false
    if (bytes === BROKEN || bytes.length === 0) {
      this.#drained = true
      // A kernel that has told a send of the reset reports an end here.
      if (bytes === BROKEN) this.#broke = true
      else this.#ended = !this.#broke
      return false
    }
    const from = (this.#receiveOffset + this.#receivedBytes) % PERIOD_BYTES
    this.#isIntact &&= Buffer.compare(bytes, periods.subarray(from, from + bytes.length)) === 0
    this.#receivedBytes += bytes.length
    return true
  }
}

/** One turn of the loop; after many without a result not the next one. */
export async function turn (looks: number): Promise<void> {
  if (looks >= QUICK_LOOKS) return await pause(1)
  await new Promise<void>((resolve) => { setImmediate(resolve) })
}

async function pause (ms: number | undefined): Promise<void> {
  if (ms !== undefined) await new Promise<void>((resolve) => { setTimeout(resolve, ms) })
}

/** Looks once in every turn. Returns false when `condition` has not held for far too long. */
export async function until (condition: () => boolean): Promise<boolean> {
  const endMs = performance.now() + PATIENCE_MS
  for (let looks = 0; !condition(); looks++) {
    if (performance.now() > endMs) return false
    await turn(looks)
  }
  return true
}
