import { Random } from '../../engine/testing/random.js'
import type { Claim } from '../transport.js'
import type { TransportSuite } from './link.js'
import { firstDifference } from './recorder.js'
import { type Side, turn } from './side.js'

const MAX_PAYLOAD_BYTES = 65_536

/** No transport may give this many: memory is bounded. */
const MANY_CLAIMS = 100_000

export function registerClaimTests (suite: TransportSuite): void {
  suite.add('claim() gives from 1 to the bytes asked for', async (t, link) => {
    link.start(MAX_PAYLOAD_BYTES)
    const { a } = link
    for (const bytes of [1, 2, 15, 16, 17, 100, 4095, 4096, 4097, MAX_PAYLOAD_BYTES]) {
      const claim = a.tryClaim(bytes)!
      t.true(claim.view.length >= 1 && claim.view.length <= bytes, `${claim.view.length} for ${bytes}`)
      t.is(claim.committedBytes, 0)
      a.transport.commit(claim, 1)
      t.is(claim.committedBytes, 1)
      a.transport.abandon(claim)
    }
  })

  suite.add('claims filled, committed short and sent in any order keep their bytes', async (t, link) => {
    link.start(MAX_PAYLOAD_BYTES)
    const { a } = link
    const random = new Random(11)
    const open: Claim[] = []
    const committed: Array<{ claim: Claim, payload: Uint8Array }> = []
    for (let i = 0; i < 3000; i++) {
      const action = random.below(4)
      if (action === 0 && open.length < 40) {
        const claim = a.tryClaim(1 + random.below(3000))
        if (claim === null) continue
        // Whoever else held this memory would lose its bytes.
        claim.view.fill(0xEE)
        open.push(claim)
      } else if (action === 1 && open.length > 0) {
        const claim = take(open)
        const payload = a.fill(claim, 1 + random.below(claim.view.length))
        committed.push({ claim, payload })
      } else if (action === 2 && committed.length > 0 && a.transport.writable) {
        const { claim, payload } = take(committed)
        a.sendClaim(claim, payload)
        a.transport.flush()
      } else if (action === 3 && random.below(10) === 0) {
        if (open.length > 0) a.transport.abandon(take(open))
        if (committed.length > 0) a.transport.abandon(take(committed).claim)
        await turn()
      }
    }
    for (const claim of open) a.transport.abandon(claim)
    for (const { claim, payload } of committed) {
      await a.untilWritable()
      a.sendClaim(claim, payload)
    }
    a.transport.flush()
    t.true(a.sent.length > 300)
    await link.untilDelivered(t)

    function take<T> (list: T[]): T {
      return list.splice(random.below(list.length), 1)[0]!
    }
  })

  suite.add(
    'claim() returns null when frames hold all memory, and all of it comes back when they are abandoned',
    async (t, link) => {
      link.start(MAX_PAYLOAD_BYTES)
      const { a } = link
      const random = new Random(12)
      let most = 0
      for (let cycle = 0; cycle < 20; cycle++) {
        const claims = fillAll(a)
        most ||= claims.length
        t.is(claims.length, most)
        const writable = a.recorder.untilWritableCall()
        while (claims.length > 0) a.transport.abandon(claims.splice(random.below(claims.length), 1)[0]!)
        await writable
      }
    }
  )

  suite.add('claim() has all memory again when what was sent has been received and released', async (t, link) => {
    link.start(MAX_PAYLOAD_BYTES)
    const { a, b } = link
    let most = 0
    for (let cycle = 0; cycle < 4; cycle++) {
      const claims = fillAll(a)
      most ||= claims.length
      for (const claim of claims) {
        await a.untilWritable()
        a.sendClaim(claim, claim.view.slice(0, claim.committedBytes))
      }
      a.transport.flush()
      await b.recorder.untilFrames(a.sent.length)
      t.true(await comesBack(a, most), `fewer than ${most} claims after cycle ${cycle}`)
    }
    t.is(firstDifference(a.sent, b.recorder.frames), null)
  })

  suite.add('payloads stay unchanged until they are released, however much passes meanwhile', async (t, link) => {
    link.start(MAX_PAYLOAD_BYTES)
    const { a, b } = link
    // 12 payloads of all sizes, spread over the traffic.
    b.recorder.keeps = (index) => index % 20 === 3 && b.recorder.kept.length < 12
    a.recorder.keeps = (index) => index % 20 === 3 && a.recorder.kept.length < 12
    await Promise.all([a.sendTraffic(new Random(21), 500, 16_384), b.sendTraffic(new Random(22), 500, 16_384)])
    await link.untilDelivered(t)
    for (const { recorder } of [a, b]) {
      t.is(recorder.kept.length, 12)
      for (const { view, copy } of recorder.kept) t.is(Buffer.compare(view, copy), 0)
      for (const { release } of recorder.kept.reverse()) release()
    }
    await Promise.all([a.sendTraffic(new Random(23), 200, 16_384), b.sendTraffic(new Random(24), 200, 16_384)])
    await link.untilDelivered(t)
  })
}

/** Claims and commits until there is no memory left. */
function fillAll (side: Side): Claim[] {
  const claims: Claim[] = []
  for (let claim = side.tryClaim(MAX_PAYLOAD_BYTES); claim !== null; claim = side.tryClaim(MAX_PAYLOAD_BYTES)) {
    side.transport.commit(claim, claim.view.length)
    claims.push(claim)
    if (claims.length > MANY_CLAIMS) throw new Error(`${MANY_CLAIMS} claims were given, and no end`)
  }
  return claims
}

/** Whether `count` claims can be filled at one time again, within a number of turns. */
async function comesBack (side: Side, count: number): Promise<boolean> {
  for (let turns = 0; turns < 1000; turns++) {
    const claims = fillAll(side)
    for (const claim of claims) side.transport.abandon(claim)
    if (claims.length === count) return true
    await turn()
  }
  return false
}
