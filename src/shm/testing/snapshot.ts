/** Fields that never change, or (the shared words) are given apart; left out to keep states small. */
const CONSTANTS = new Set([
  'words',
  'bells',
  'layout',
  'options',
  'steps',
  'capacity',
  'writeIndex',
  'readIndex',
  'ownWait',
  'peerWait',
  'ownReturnRing',
  'peerReturnRing',
  'slots',
  'sends',
  'side',
  'ringWords',
  'peerRingWords',
  'slotWords',
  'peerSlotWords'
])

type Numbers = Int32Array | Uint8Array | Uint32Array

interface Field {
  readonly object: Record<string, number | boolean>
  readonly key: string
  readonly start: number
  readonly isFlag: boolean
}

/**
 * All that can change in a set of objects, private fields too, as a string that can be put back: two states are the
 * same if their strings are. Numbers are kept as their distance from what they are now, so they may lie anywhere and
 * wrap as Int32, but not move by 2^15 or more.
 */
export class Snapshot {
  readonly #fields: Field[] = []
  readonly #arrays: Array<{ array: Numbers, start: Numbers }> = []
  readonly #lists: number[][] = []
  readonly #maps: Array<Map<number, number>> = []
  #codes = new Uint16Array(64)
  #length = 0

  constructor (roots: readonly object[]) {
    const seen = new Set<object>()
    for (const root of roots) this.#visit(root, seen)
  }

  #visit (object: object, seen: Set<object>): void {
    if (seen.has(object)) return
    seen.add(object)
    if (object instanceof Int32Array || object instanceof Uint8Array || object instanceof Uint32Array) {
      this.#arrays.push({ array: object, start: object.slice() })
    } else if (object instanceof Map) this.#maps.push(object)
    else if (Array.isArray(object)) this.#lists.push(object)
    else {
      for (const [key, value] of Object.entries(object) as Array<[string, unknown]>) {
        if (CONSTANTS.has(key)) continue
        const isFlag = typeof value === 'boolean'
        if (isFlag || typeof value === 'number') {
          this.#fields.push({ object: object as Field['object'], key, start: Number(value), isFlag })
        } else if (typeof value === 'object' && value !== null) this.#visit(value, seen)
      }
    }
  }

  save (): string {
    this.#length = 0
    for (const { object, key, start, isFlag } of this.#fields) {
      this.#put(isFlag ? Number(object[key]) : ((object[key] as number) - start) | 0)
    }
    for (const { array, start } of this.#arrays) {
      for (let i = 0; i < array.length; i++) this.#put((array[i]! - start[i]!) | 0)
    }
    for (const list of this.#lists) {
      this.#put(list.length)
      for (const number of list) this.#put(number)
    }
    for (const map of this.#maps) {
      this.#put(map.size)
      for (const [key, value] of [...map].sort(([a], [b]) => a - b)) {
        this.#put(key)
        this.#put(value)
      }
    }
    return String.fromCharCode.apply(null, this.#codes.subarray(0, this.#length) as unknown as number[])
  }

  #put (number: number): void {
    if ((number << 16 >> 16) !== number) throw new RangeError(`Cannot save a state: a number moved by ${number}`)
    if (this.#length === this.#codes.length) {
      const more = new Uint16Array(2 * this.#length)
      more.set(this.#codes)
      this.#codes = more
    }
    this.#codes[this.#length++] = number
  }

  load (state: string): void {
    let at = 0
    const next = (): number => state.charCodeAt(at++) << 16 >> 16
    for (const { object, key, start, isFlag } of this.#fields) {
      object[key] = isFlag ? next() === 1 : (start + next()) | 0
    }
    for (const { array, start } of this.#arrays) for (let i = 0; i < array.length; i++) array[i] = start[i]! + next()
    for (const list of this.#lists) {
      list.length = next()
      for (let i = 0; i < list.length; i++) list[i] = next()
    }
    for (const map of this.#maps) {
      map.clear()
      for (let left = next(); left > 0; left--) map.set(next(), next())
    }
  }
}
