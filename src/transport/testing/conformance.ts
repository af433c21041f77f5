import test from 'ava'
import { registerClaimTests } from './claim-tests.js'
import { registerConstantTests } from './constant-tests.js'
import { registerEndingTests } from './ending-tests.js'
import { registerHostilePeerTests } from './hostile-peer-tests.js'
import { registerOrderTests } from './order-tests.js'
import { registerPressureTests } from './pressure-tests.js'
import type { TransportHarness } from './harness.js'
import { Link, type TransportSuite } from './link.js'

/** Registers the tests every transport must pass unchanged. Call it at the top of a test file. */
export function runTransportSuite (name: string, harness: TransportHarness): void {
  const suite: TransportSuite = {
    harness,
    add (title, body, pieceBytes) {
      test(`${name} transport: ${title}`, async (t) => {
        const link = await Link.make(t, harness, pieceBytes)
        await body(t, link)
        await link.verify(t)
      })
    }
  }
  registerOrderTests(suite)
  registerClaimTests(suite)
  registerConstantTests(suite)
  registerPressureTests(suite)
  registerEndingTests(suite)
  registerHostilePeerTests(suite)
}
