/** What takes its turn at sending. The fields are the scheduler's: nobody else reads or writes them. */
export abstract class Flow {
  abstract readonly hasFrames: boolean
  deficitBytes = 0
  /**
   * `parked`: listed as old although it ran empty, so that it has no new quantum before the round is over. `both`:
   * active again before that.
   */
  list: 'none' | 'new' | 'old' | 'parked' | 'both' = 'none'
}

/**
 * Decides whose frame leaves next: deficit round robin with a list for flows that have just become active, served first
 * (the scheduler of FQ-CoDel, RFC 8290 section 4.1.2). A flow that sends little is always "new", so a 2-byte response
 * passes any number of bulk transfers; a flow that fills its quantum joins the round, where every flow gets the same
 * bytes. Unlike there, a flow that ran empty may be new again within the round, as long as its quantum lasts: the next
 * response of the same connection passes too.
 */
export class Scheduler<F extends Flow> {
  /**
   * At least the largest frame, so that every turn of a flow sends one. A longer one (of constants) costs its flow the
   * next turns.
   */
  quantumBytes: number
  readonly #new: Queue<F> = new Queue()
  readonly #old: Queue<F> = new Queue()

  constructor (quantumBytes = 0) {
    this.quantumBytes = quantumBytes
  }

  /** The flow has something to send. Harmless when it is listed already. */
  activate (flow: F): void {
    if (flow.list === 'none') {
      flow.deficitBytes = this.quantumBytes
      flow.list = 'new'
    } else if (flow.list === 'parked') {
      flow.list = 'both'
    } else {
      return
    }
    this.#new.push(flow)
  }

  /** The flow whose first frame is due, or null when none has any. Follow it with `charge()`. */
  next (): F | null {
    for (;;) {
      const isNew = this.#new.first !== undefined
      const queue = isNew ? this.#new : this.#old
      const flow = queue.first
      if (flow === undefined) return null
      const isEmpty = !flow.hasFrames
      if (!isEmpty && flow.deficitBytes > 0) return flow
      queue.shift()
      // A new flow that ran empty waits in the old list, or it could stay ahead of all others by being new again and
      // again.
      if (isEmpty && (!isNew || (flow.list === 'new' && this.#old.first === undefined))) {
        flow.list = 'none'
        continue
      }
      if (flow.list !== 'both') {
        this.#old.push(flow)
        if (!isEmpty) flow.deficitBytes += this.quantumBytes
      }
      flow.list = isEmpty ? 'parked' : 'old'
    }
  }

  /** The flow that `next()` named has sent a frame of `bytes`. */
  charge (flow: F, bytes: number): void {
    flow.deficitBytes -= bytes
  }
}

/** The fewest free places at the front that are worth moving the rest for. */
const MIN_COMPACTION = 64

/**
 * First in, first out, in amortised constant time. Keeps its array, so a queue that runs empty again and again
 * allocates nothing.
 */
export class Queue<T> {
  readonly #items: Array<T | undefined> = []
  #start = 0
  #end = 0

  get first (): T | undefined { return this.#start === this.#end ? undefined : this.#items[this.#start] }
  get length (): number { return this.#end - this.#start }

  push (item: T): void {
    this.#items[this.#end++] = item
  }

  shift (): T | undefined {
    if (this.#start === this.#end) return undefined
    const item = this.#items[this.#start]
    this.#items[this.#start++] = undefined
    if (this.#start === this.#end) this.#start = this.#end = 0
    else if (this.#start >= MIN_COMPACTION && this.#start * 2 >= this.#end) this.#compact()
    return item
  }

  #compact (): void {
    const length = this.#end - this.#start
    this.#items.copyWithin(0, this.#start, this.#end)
    this.#items.length = this.#end = length
    this.#start = 0
  }
}
