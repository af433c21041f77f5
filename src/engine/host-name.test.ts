import test from 'ava'
import { addressesOf, findAddresses, noteWorking } from './host-name.js'
import { makeName } from './testing/names.js'

test('addressesOf() takes a literal as it is, at once', (t) => {
  for (const literal of ['127.0.0.1', '::1', 'fe80::1%1']) {
    let found: readonly string[] = []
    addressesOf(literal, (_error, addresses) => { found = addresses })
    t.deepEqual(found, [literal])
  }
})

test('addressesOf() has one lookup for all who ask at once, and none while its answer is fresh', async (t) => {
  const name = makeName(['127.0.0.1', '127.0.0.2'])
  const answers = await Promise.all(Array.from({ length: 50 }, () => findAddresses(name.host)))
  t.deepEqual(answers, Array(50).fill(['127.0.0.1', '127.0.0.2']))
  await findAddresses(name.host)
  t.is(name.lookups, 1)
})

test('addressesOf() gives families in turn, and the address that worked first', async (t) => {
  const { host } = makeName(['::1', '::2', '::3', '127.0.0.1', '127.0.0.2'])
  t.deepEqual(await findAddresses(host), ['::1', '127.0.0.1', '::2', '127.0.0.2', '::3'])
  noteWorking(host, '127.0.0.2')
  t.deepEqual(await findAddresses(host), ['127.0.0.2', '::1', '127.0.0.1', '::2', '::3'])
  noteWorking(host, '10.0.0.1')
  t.deepEqual(await findAddresses(host), ['::1', '127.0.0.1', '::2', '127.0.0.2', '::3'],
    'one that it does not have any more')
})

test('addressesOf() passes an error on to all who wait, and asks again', async (t) => {
  let addresses: string[] = []
  const name = makeName(() => addresses)
  const outcomes = await Promise.allSettled([findAddresses(name.host), findAddresses(name.host)])
  t.deepEqual(outcomes.map(({ status }) => status), ['rejected', 'rejected'])
  t.is(name.lookups, 1)
  addresses = ['127.0.0.1']
  t.deepEqual(await findAddresses(name.host), ['127.0.0.1'])
})

test('addressesOf() looks an aged name up again in the background, an old one before it answers', async (t) => {
  let addresses = ['127.0.0.1']
  const name = makeName(() => addresses)
  await findAddresses(name.host)
  addresses = ['127.0.0.2']
  await atLater(t.teardown, 6_000, async () => {
    t.deepEqual(await findAddresses(name.host), ['127.0.0.1'])
    t.is(name.lookups, 2)
    await new Promise((resolve) => setImmediate(resolve))
    t.deepEqual(await findAddresses(name.host), ['127.0.0.2'])
  })
  addresses = ['127.0.0.3']
  await atLater(t.teardown, 60_000, async () => { t.deepEqual(await findAddresses(name.host), ['127.0.0.3']) })
})

/** Runs `body` with a clock that is ahead. */
async function atLater (
  teardown: (restore: () => void) => void,
  aheadMs: number,
  body: () => Promise<void>
): Promise<void> {
  const now = performance.now
  const restore = (): void => {
    performance.now = now
  }
  teardown(restore)
  performance.now = () => now.call(performance) + aheadMs
  await body()
  restore()
}
