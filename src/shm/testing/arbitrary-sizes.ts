import fc from 'fast-check'
import { layOut, MAX_SEGMENT_BYTES, type SegmentSizes } from '../segment-sizes.js'

/** The smallest segment there is: 132 KiB. */
export const SMALLEST_SIZES: SegmentSizes = {
  slotBytes: 1024,
  slots: 16,
  ringEntries: 64,
  inlineBytes: 512,
  constantBytes: 0
}

/** Sizes that keep every rule. */
export const arbitrarySizes: fc.Arbitrary<SegmentSizes> = fc.record({
  slotBytes: fc.integer({ min: 10, max: 17 }).map((power) => 2 ** power),
  slots: fc.oneof(fc.integer({ min: 16, max: 600 }), fc.constantFrom(16, 65_536)),
  ringEntries: fc.integer({ min: 6, max: 16 }).map((power) => 2 ** power),
  inlineBytes: fc.oneof(fc.integer({ min: 16, max: 2048 }), fc.constantFrom(16, 31)).map((lines) => lines * 32),
  constantBytes: fc.integer({ min: 0, max: 64 }).map((pages) => pages * 4096)
}).filter((sizes) => sizes.inlineBytes < sizes.slotBytes && layOut(sizes).totalBytes <= MAX_SEGMENT_BYTES)
