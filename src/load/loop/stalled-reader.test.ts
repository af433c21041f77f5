import test from 'ava'
import { tcpAddress } from '../../base/address.js'
import { ErrorCode, TunnelError } from '../../base/errors.js'
import { StalledReader } from './stalled-reader.js'
import { FakeEngine, type FakeSocket } from '../testing/fake-engine.js'

const BROKEN = new TunnelError(ErrorCode.SOCKET_RESET, 'The connection was reset')

function setUp (): { reader: StalledReader, socket: FakeSocket, events: string[] } {
  const engine = new FakeEngine()
  const events: string[] = []
  const reader = new StalledReader(engine, tcpAddress('127.0.0.1', 1), 0, Buffer.from('GET'), {
    onSettled: () => events.push('settled'),
    onProblem: (problem) => events.push(problem),
    onClose: () => events.push('close')
  })
  return { reader, socket: engine.sockets[0]!, events }
}

test('StalledReader asks once and never has room for an answer', (t) => {
  const { reader, socket, events } = setUp()
  t.deepEqual(events, [])
  reader.connect()
  t.deepEqual(socket.calls, ['write'])
  t.is(reader.claim(), null)
  t.deepEqual(events, ['settled'])
  reader.stop()
  socket.close()
  t.deepEqual(socket.calls, ['write', 'abort'])
  t.deepEqual(events, ['settled', 'close'])
})

test('StalledReader reports a connection that failed or was lost, and settles once', (t) => {
  const failed = setUp()
  failed.socket.close(BROKEN)
  t.deepEqual(failed.events, ['stalled reader: The connection was reset', 'settled', 'close'])
  const lost = setUp()
  lost.reader.connect()
  lost.socket.close()
  t.deepEqual(lost.events, ['settled', 'stalled reader: the connection was closed', 'close'])
})
