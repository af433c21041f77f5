/**
 * The shared segment, the same over a SharedArrayBuffer (threads) and a memfd mapping (processes). Numbers are
 * little-endian. This file has no behaviour: it is the drawing; `segment-sizes.ts` computes where things lie.
 *
 *      0     segment header, 128 bytes: written once by its maker, `magic` last
 *      128   words that change while the link lives, each alone in 128 bytes (two cache lines, which are prefetched
 *            together):
 *              hostWait · pluginWait · attached · then per direction (host -> plugin, plugin -> host):
 *              writePosition · readPosition · returnPosition
 *            per direction: descriptor ring     ringEntries × descriptorBytes
 *                           return ring         returnEntries × 4 bytes
 *                           constant returns    one word of 4 bytes for every 512 bytes of constants
 *      page  per direction: slot pool           slots × slotBytes
 *      page  per direction: constants           constantBytes
 *
 * A descriptor is one frame. Its first 16 bytes are the frame header (src/frame/layout.ts); a payload either lies in a
 * slot or, when short, inline:
 *
 *      0               16          20                       32
 *      +---------------+-----------+------------------------+--------------------------+
 *      | frame header  | slot i32  | 0                      | inline payload           |
 *      |               | -1 inline |                        | inlineBytes              |
 *      |               | ≤ -2      |                        |                          |
 *      +---------------+-----------+------------------------+--------------------------+
 *
 * Constants are what a side sends again and again: it writes them once, and any number of descriptors may name the same
 * bytes at one time. `slot` is then -2 - offset, counted from the start of the direction's constants; the payload may
 * start and end anywhere in them. They do not come back through the return ring. Instead the receiver counts, in the
 * word of the 512-byte unit in which a payload started, how many such payloads it is done with. A sender that has
 * counted as many of its own may write over them.
 *
 * Positions are free-running Int32 and wrap: `(write - read) | 0` is the number of entries between them. The writer of
 * each word:
 *
 * | word             | written by                             | says                                             |
 * |------------------|----------------------------------------|--------------------------------------------------|
 * | writePosition    | the direction's sender                 | descriptors published so far                     |
 * | readPosition     | its receiver                           | descriptors taken so far: their entries are free |
 * | returnPosition   | its receiver                           | slot ids published in the return ring so far     |
 * | constant returns | its receiver                           | payloads that began here and were released       |
 * | hostWait …       | both: see endpoint.ts                  | what that side waits for while it sleeps         |
 * | attached         | the side that did not make the segment | 1: it has mapped and checked the segment         |
 *
 * The sender of a direction fills its slots and alone allocates them, from private state; the receiver gives each back,
 * once, through the return ring. That ring has room for every slot, so it is never full.
 */
export const SEGMENT_MAGIC = 0x4D535448 // the bytes 'HTSM'
export const SEGMENT_VERSION = 2

export const SegmentOffset = {
  MAGIC: 0,
  VERSION: 4,
  SLOT_BYTES: 8,
  SLOTS: 12,
  RING_ENTRIES: 16,
  INLINE_BYTES: 20,
  TOTAL_BYTES: 24,
  CONSTANT_BYTES: 28,
  NONCE: 32
} as const

export const NONCE_BYTES = 16

/** Shared words that change each have this many bytes to themselves. */
export const LINE_BYTES = 128

/** Byte offsets of the shared words. */
export const WordOffset = {
  HOST_WAIT: LINE_BYTES,
  PLUGIN_WAIT: 2 * LINE_BYTES,
  ATTACHED: 3 * LINE_BYTES,
  /** The words of direction `d` (0: host to plugin) begin at `DIRECTIONS + d × DIRECTION_BYTES`. */
  DIRECTIONS: 4 * LINE_BYTES,
  WRITE_POSITION: 0,
  READ_POSITION: LINE_BYTES,
  RETURN_POSITION: 2 * LINE_BYTES
} as const

export const DIRECTION_BYTES = 3 * LINE_BYTES
export const RINGS_OFFSET = WordOffset.DIRECTIONS + 2 * DIRECTION_BYTES

export const DescriptorOffset = {
  HEADER: 0,
  SLOT: 16,
  INLINE: 32
} as const

/** In place of a slot id: the payload lies in the descriptor. */
export const INLINE_PAYLOAD = -1

/**
 * In place of a slot id, this or less: the payload lies in the constants, `CONSTANT_PAYLOAD - slot` bytes from their
 * beginning.
 */
export const CONSTANT_PAYLOAD = -2

/** Every unit of this many bytes of constants has a word that counts its returns. */
export const CONSTANT_UNIT_BYTES = 512

/** What a sleeping side waits for: bits of its wait word. 0: it is awake. */
export const WaitFor = {
  /** Descriptors. */
  FRAMES: 1,
  /** Slots that come back, or free entries in the ring it sends through. */
  ROOM: 2
} as const
