import test from 'ava'
import fc from 'fast-check'
import { ErrorCode, TunnelError } from '../base/errors.js'
import { CONSTANT_UNIT_BYTES, LINE_BYTES, RINGS_OFFSET } from './layout.js'
import {
  checkSegmentSizes,
  DEFAULT_SEGMENT_SIZES,
  layOut,
  MAX_SEGMENT_BYTES,
  type SegmentLayout,
  type SegmentSizes,
  segmentSizes
} from './segment-sizes.js'
import { arbitrarySizes } from './testing/arbitrary-sizes.js'

interface Part { readonly name: string, readonly offset: number, readonly bytes: number, readonly alignment: number }

/** Every part of a segment, written down from the drawing in layout.ts and not from the arithmetic. */
function partsOf ({ sizes, directions, descriptorBytes, returnEntries }: SegmentLayout): Part[] {
  const words = ['header', 'hostWait', 'pluginWait', 'attached'].map((name, i) => ({
    name,
    offset: i * LINE_BYTES,
    bytes: LINE_BYTES,
    alignment: LINE_BYTES
  }))
  return [
    ...words,
    ...directions.flatMap((direction, d) => [
      { name: `${d} writePosition`, offset: direction.writePosition, bytes: LINE_BYTES, alignment: LINE_BYTES },
      { name: `${d} readPosition`, offset: direction.readPosition, bytes: LINE_BYTES, alignment: LINE_BYTES },
      { name: `${d} returnPosition`, offset: direction.returnPosition, bytes: LINE_BYTES, alignment: LINE_BYTES },
      { name: `${d} ring`, offset: direction.ring, bytes: sizes.ringEntries * descriptorBytes, alignment: LINE_BYTES },
      { name: `${d} returnRing`, offset: direction.returnRing, bytes: returnEntries * 4, alignment: LINE_BYTES },
      {
        name: `${d} constantReturns`,
        offset: direction.constantReturns,
        bytes: (sizes.constantBytes / CONSTANT_UNIT_BYTES) * 4,
        alignment: LINE_BYTES
      },
      { name: `${d} constants`, offset: direction.constants, bytes: sizes.constantBytes, alignment: 4096 },
      { name: `${d} slots`, offset: direction.slots, bytes: sizes.slots * sizes.slotBytes, alignment: 1024 }
    ])
  ]
}

test('layOut() gives every part a place of its own, aligned, inside the segment, with little between', (t) => {
  fc.assert(fc.property(arbitrarySizes, (sizes) => {
    const layout = layOut(sizes)
    const parts = partsOf(layout).sort((a, b) => a.offset - b.offset)
    let end = 0
    for (const part of parts) {
      if (part.offset < end) throw new Error(`${part.name} begins at ${part.offset}, before ${end}`)
      if (part.offset - end >= 4096) throw new Error(`${part.offset - end} bytes are lost before ${part.name}`)
      if (part.offset % part.alignment !== 0) throw new Error(`${part.name} is not aligned: ${part.offset}`)
      end = part.offset + part.bytes
    }
    return (
      end <= layout.totalBytes &&
      layout.totalBytes - end < 4096 &&
      layout.totalBytes % 4096 === 0 &&
      layout.directions[0].slots % 4096 === 0
    )
  }))
  t.pass()
})

test('layOut() makes return rings that hold every slot, and whose length is a power of two', (t) => {
  fc.assert(fc.property(arbitrarySizes, (sizes) => {
    const { returnEntries } = layOut(sizes)
    return (
      returnEntries >= sizes.slots && returnEntries < 2 * sizes.slots && Number.isInteger(Math.log2(returnEntries))
    )
  }))
  t.pass()
})

test('segmentSizes() fills in what was not chosen, and keeps inline payloads below small slots', (t) => {
  t.deepEqual(segmentSizes(), DEFAULT_SEGMENT_SIZES)
  t.deepEqual(segmentSizes({ slots: 20 }), { ...DEFAULT_SEGMENT_SIZES, slots: 20 })
  t.is(segmentSizes({ slotBytes: 4096 }).inlineBytes, 2048)
  t.is(segmentSizes({ slotBytes: 1024 }).inlineBytes, 512)
  t.is(segmentSizes({ slotBytes: 8192 }).inlineBytes, 4096)
  t.is(segmentSizes({ slotBytes: 4096, inlineBytes: 1024 }).inlineBytes, 1024)
})

test('layOut() never drifts: sizes in numbers', (t) => {
  t.is(RINGS_OFFSET, 1280)
  t.deepEqual(
    layOut({ slotBytes: 65_536, slots: 512, ringEntries: 1024, inlineBytes: 1024, constantBytes: 1_048_576 }),
    {
      sizes: { slotBytes: 65_536, slots: 512, ringEntries: 1024, inlineBytes: 1024, constantBytes: 1_048_576 },
      descriptorBytes: 1056,
      returnEntries: 512,
      totalBytes: 71_393_280,
      directions: [
        {
          writePosition: 512,
          readPosition: 640,
          returnPosition: 768,
          ring: 1280,
          returnRing: 1_082_624,
          slots: 2_187_264,
          constants: 69_296_128,
          constantReturns: 1_084_672
        },
        {
          writePosition: 896,
          readPosition: 1024,
          returnPosition: 1152,
          ring: 1_092_864,
          returnRing: 2_174_208,
          slots: 35_741_696,
          constants: 70_344_704,
          constantReturns: 2_176_256
        }
      ]
    }
  )
})

test('checkSegmentSizes() takes every size within the rules, and gives it back', (t) => {
  fc.assert(fc.property(arbitrarySizes, (sizes) => checkSegmentSizes(sizes) === sizes))
  t.is(checkSegmentSizes(DEFAULT_SEGMENT_SIZES), DEFAULT_SEGMENT_SIZES)
})

const broken: Array<[sizes: Partial<SegmentSizes>, message: RegExp]> = [
  [{ slotBytes: 512 }, /slotBytes must be an integer from 1024 to 131072: it is 512/],
  [{ slotBytes: 262_144 }, /slotBytes must be an integer/],
  [{ slotBytes: 65_537 }, /slotBytes must be a power of two: it is 65537; the next ones are 65536 and 131072/],
  [{ slots: 15 }, /slots must be an integer from 16 to 65536: it is 15/],
  [{ slots: 65_537 }, /slots must be an integer/],
  [{ slots: 16.5 }, /slots must be an integer/],
  [{ slots: NaN }, /slots must be an integer/],
  [{ slots: '512' as unknown as number }, /slots must be an integer/],
  [{ ringEntries: 32 }, /ringEntries must be an integer from 64 to 65536: it is 32/],
  [{ ringEntries: 131_072 }, /ringEntries must be an integer/],
  [{ ringEntries: 100 }, /ringEntries must be a power of two: it is 100; the next ones are 64 and 128/],
  [{ constantBytes: 67_112_960 }, /constantBytes must be an integer from 0 to 67108864/],
  [{ constantBytes: 512 }, /constantBytes must be a multiple of 4096: it is 512/],
  [{ inlineBytes: 480 }, /inlineBytes must be an integer from 512/],
  [{ inlineBytes: 1000 }, /inlineBytes must be a multiple of 32: it is 1000/],
  [
    { inlineBytes: 4096, slotBytes: 4096 },
    /inlineBytes must be less than slotBytes, or no slot would be used: they are 4096 and 4096/
  ],
  [
    { slots: 8192 },
    /at most 1073741824 bytes: 8192 slots of 65536 bytes, 1024 ring entries and 1048576 bytes of constants, in both directions, make \d+: choose fewer or smaller ones/
  ]
]

for (const [sizes, message] of broken) {
  test(`checkSegmentSizes() refuses ${JSON.stringify(sizes)}`, (t) => {
    const error = t.throws(() => checkSegmentSizes({ ...DEFAULT_SEGMENT_SIZES, ...sizes }), {
      instanceOf: TunnelError,
      message
    })
    t.is(error.code, ErrorCode.USAGE)
    t.regex(error.message, /^Cannot use these sizes of the shared memory: /)
  })
}

test('checkSegmentSizes() lets its caller say what a broken rule means', (t) => {
  const failure = (rule: string) => new TunnelError(ErrorCode.PROTOCOL, rule)
  t.is(
    t.throws(() => checkSegmentSizes({ ...DEFAULT_SEGMENT_SIZES, slots: 0 }, failure), { instanceOf: TunnelError })
      .code,
    ErrorCode.PROTOCOL
  )
})

test('checkSegmentSizes() refuses, or layOut() stays within the largest segment, whatever five numbers say', (t) => {
  const word = fc.oneof(fc.integer(), fc.nat(0xFFFFFFFF), fc.nat(17).map((power) => 2 ** power))
  fc.assert(
    fc.property(
      fc.record({ slotBytes: word, slots: word, ringEntries: word, inlineBytes: word, constantBytes: word }),
      (sizes) => {
        try {
          return layOut(checkSegmentSizes(sizes)).totalBytes <= MAX_SEGMENT_BYTES
        } catch (error) {
          return error instanceof TunnelError && error.code === ErrorCode.USAGE
        }
      }
    )
  )
  t.pass()
})
