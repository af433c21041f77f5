import type { Address } from '../../base/address.js'
import {
  type Alarm,
  type ConnectOptions,
  emptyEngineCounters,
  type Engine,
  type Listener,
  type ListenOptions,
  type Polled,
  type Reader,
  type Socket,
  type TurnPhase
} from '../engine.js'
import { NodeAlarm } from './node-alarm.js'
import { ConnectingSocket } from './connecting-socket.js'
import { listenNode } from './node-listener.js'
import type { NodeEngineParts } from './node-socket.js'
import { TurnEnd } from '../turn-end.js'

/** Large enough for most requests and small responses, small enough that copying it costs little. */
const PARKING_BYTES = 4096

/**
 * The portable engine: `node:net` on Node's own event loop. Accepted sockets copy what they read; connecting ones read
 * most of a burst straight into claimed memory. A connection that is reset while its reader is paused is noticed at the
 * next write or `resume()`, one that is reset after its end-of-file within 100 ms: Node does not watch such a
 * descriptor.
 */
export function createNodeEngine (): Engine {
  return new NodeEngine()
}

class NodeEngine implements Engine, NodeEngineParts {
  readonly name = 'node'
  readonly counters = emptyEngineCounters()
  readonly turnEnd: TurnEnd = new TurnEnd(() => { setImmediate(this.runTurnEnd) })
  readonly parking = new Uint8Array(PARKING_BYTES)
  reservations = 0

  listen (address: Address, onSocket: (socket: Socket) => void, options?: ListenOptions): Promise<Listener> {
    return listenNode(this, address, onSocket, options)
  }

  connect (address: Address, reader: Reader, options: ConnectOptions): Socket {
    return new ConnectingSocket(this, address, reader, options.timeoutMs)
  }

  /** Its phase follows the one in which Node reads sockets. */
  private readonly runTurnEnd = (): void => { this.turnEnd.run() }

  atTurnEnd (task: () => void, phase?: TurnPhase): void {
    this.turnEnd.addTask(task, phase)
  }

  alarm (onRing: () => void): Alarm {
    return new NodeAlarm(onRing)
  }

  /** Node does not say whether it will sleep: count it as asleep from the end of each turn. */
  pollUntilAsleep (polled: Polled): void {
    if (!polled.trySleep()) setImmediate(() => { polled.poll() })
  }
}
