import type { Random } from '../../../engine/testing/random.js'
import { CONSTANT_PAYLOAD, DescriptorOffset, NONCE_BYTES, SegmentOffset, WordOffset } from '../../../shm/layout.js'
import type { SegmentLayout } from '../../../shm/segment-sizes.js'

/** What a peer can write to. */
export const TARGETS = [
  'positions',
  'returns',
  'waits',
  'attached',
  'header',
  'descriptors',
  'replays',
  'contents'
] as const
/** `flips`: a descriptor that is good and bad by turns, for another thread. */
export type Target = typeof TARGETS[number] | 'flips'

/** Those that say nothing about frames or memory: whatever stands there, a link goes on. */
export const HARMLESS: readonly Target[] = ['waits', 'header', 'contents']

const HEADER_WORDS = (SegmentOffset.NONCE + NONCE_BYTES) / 4
const EDGES = [0, 1, 2, -1, -2, 0x7FFF_FFFF, -0x8000_0000]

/**
 * Writes into a live segment what no honest peer writes there: values at the edges of what is allowed, near what is
 * there, and any.
 */
export class Scribbler {
  mutations = 0
  readonly #words: Int32Array
  readonly #layout: SegmentLayout
  readonly #random: Random

  constructor (buffer: ArrayBufferLike, layout: SegmentLayout, random: Random) {
    this.#words = new Int32Array(buffer)
    this.#layout = layout
    this.#random = random
  }

  /** Changes one word of one of `targets`. */
  mutate (targets: readonly Target[]): void {
    this.mutations++
    switch (this.#pick(targets)) {
      case 'positions':
        return this.#mutatePosition()
      case 'returns':
        return this.#mutateReturn()
      case 'waits':
        return this.#write(
          this.#pick([WordOffset.HOST_WAIT, WordOffset.PLUGIN_WAIT]) >> 2,
          this.#pick([0, 1, 2, 3, -1, this.#any()])
        )
      case 'attached':
        return this.#write(WordOffset.ATTACHED >> 2, this.#pick([0, 1, 2, -1, this.#any()]))
      case 'header':
        return this.#write(this.#random.below(HEADER_WORDS), this.#any())
      case 'descriptors':
        return this.#mutateDescriptor()
      case 'replays':
        return this.#replay()
      case 'flips':
        return this.#flip()
      case 'contents':
        return this.#mutateContents()
    }
  }

  #mutatePosition (): void {
    const direction = this.#direction()
    const index = this.#pick([direction.writePosition, direction.readPosition, direction.returnPosition]) >> 2
    const { ringEntries, slots } = this.#layout.sizes
    const now = Atomics.load(this.#words, index)
    this.#write(
      index,
      this.#pick([
        now + 1,
        now + 1,
        now + 2,
        now - 1,
        now + this.#random.below(8),
        now + ringEntries,
        now + ringEntries + 1,
        now - ringEntries,
        now + slots,
        ...EDGES,
        this.#any()
      ])
    )
  }

  #mutateReturn (): void {
    const { returnRing, returnPosition } = this.#direction()
    const { returnEntries } = this.#layout
    const place = (Atomics.load(this.#words, returnPosition >> 2) + this.#random.below(6) - 3) & (returnEntries - 1)
    this.#write((returnRing >> 2) + place, this.#slot())
  }

  #mutateDescriptor (): void {
    const offset = this.#entry()
    const { slotBytes, inlineBytes } = this.#layout.sizes
    switch (this.#random.below(6)) {
      case 0:
        return this.#write(
          offset >> 2,
          this.#pick([
            0,
            1,
            inlineBytes - 1,
            inlineBytes,
            inlineBytes + 1,
            slotBytes - 1,
            slotBytes,
            slotBytes + 1,
            2 * slotBytes,
            0xffff_ffff,
            this.#random.below(2 * slotBytes),
            this.#any()
          ])
        )
      case 1:
        return this.#write((offset + 4) >> 2, this.#pick([0, 1, 2, this.#random.below(8), this.#any()]))
      case 2:
        return this.#write(
          (offset + 8) >> 2,
          this.#random.below(13) | (this.#pick([0, 0, 0, 1, 1, 2, 255]) << 8) | (this.#pick([0, 0, 0, 1]) << 16)
        )
      case 3:
        return this.#write((offset + 12) >> 2, this.#pick([0, 1, 6, this.#random.below(12), 0xffff_ffff, this.#any()]))
      default:
        return this.#write((offset + DescriptorOffset.SLOT) >> 2, this.#slot())
    }
  }

  /** Publishes a descriptor of late once more. */
  #replay (): void {
    const { ring, writePosition } = this.#direction()
    const { sizes: { ringEntries }, descriptorBytes } = this.#layout
    const position = Atomics.load(this.#words, writePosition >> 2)
    const placeOf = (at: number): number => (ring + (at & (ringEntries - 1)) * descriptorBytes) >> 2
    const from = placeOf(position - 1 - this.#random.below(4))
    this.#words.copyWithin(placeOf(position), from, from + (descriptorBytes >> 2))
    Atomics.store(this.#words, writePosition >> 2, (position + 1) | 0)
  }

  /** Now good, now bad, where a slot is named: for a reader that looks twice. */
  #flip (): void {
    const { ring, readPosition } = this.#direction()
    const { sizes: { ringEntries }, descriptorBytes } = this.#layout
    const position = Atomics.load(this.#words, readPosition >> 2) + this.#random.below(3)
    const entry = ring + (position & (ringEntries - 1)) * descriptorBytes
    if (this.#words[(entry + DescriptorOffset.SLOT) >> 2]! < 0) return
    const index = (entry + this.#pick([0, DescriptorOffset.SLOT, DescriptorOffset.SLOT])) >> 2
    for (let i = 0; i < 32; i++) {
      const good = Atomics.load(this.#words, index)
      Atomics.store(this.#words, index, 0x00FF_FFFF)
      Atomics.store(this.#words, index, good)
      // Good for longer than bad, or who looks once would find it out most of the time.
      for (let left = 16; left > 0; left--) Atomics.load(this.#words, 0)
    }
  }

  #mutateContents (): void {
    const { sizes } = this.#layout
    const index = this.#random.below(2) === 0
      ? (this.#entry() + DescriptorOffset.INLINE + this.#random.below(sizes.inlineBytes)) >> 2
      : (this.#direction().slots + this.#random.below(sizes.slots * sizes.slotBytes)) >> 2
    this.#write(index, this.#any())
  }

  /** Offset of a descriptor: most often one that was published and not taken yet, or the one that follows. */
  #entry (): number {
    const { ring, writePosition, readPosition } = this.#direction()
    const { sizes: { ringEntries }, descriptorBytes } = this.#layout
    const read = Atomics.load(this.#words, readPosition >> 2)
    const unread = (Atomics.load(this.#words, writePosition >> 2) - read) | 0
    const position =
      unread >= 0 && unread <= ringEntries && this.#random.below(8) > 0
        ? read + this.#random.below(unread + 1)
        : this.#any()
    return ring + (position & (ringEntries - 1)) * descriptorBytes
  }

  #slot (): number {
    const { slots, constantBytes } = this.#layout.sizes
    return this.#pick([
      CONSTANT_PAYLOAD - this.#random.below(constantBytes + 1),
      CONSTANT_PAYLOAD - constantBytes,
      this.#random.below(slots),
      this.#random.below(slots),
      slots - 1,
      slots,
      slots + 1,
      ...EDGES,
      this.#any()
    ])
  }

  #direction () { return this.#layout.directions[this.#random.below(2) as 0 | 1] }
  #any (): number { return this.#random.below(0xFFFF_FFFF) | 0 }
  #pick<T> (choices: readonly T[]): T { return choices[this.#random.below(choices.length)]! }

  #write (index: number, value: number): void {
    if (this.#random.below(2) === 0) this.#words[index] = value
    else Atomics.store(this.#words, index, value | 0)
  }
}
