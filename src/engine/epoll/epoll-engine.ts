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
import { ConnectingSocket } from './connecting-socket.js'
import { EpollAlarm } from './epoll-alarm.js'
import { listenEpoll } from './epoll-listener.js'
import type { EpollEngineParts } from './epoll-socket.js'
import { eventLoop } from './event-loop.js'
import { Spin, type SpinChoice } from './spin.js'

/**
 * The fast engine: Linux system calls, with no stream and no event emitter in between. All that is read goes straight
 * into the reader's claim, which is asked for when the bytes are there. All engines of a thread sleep together, and
 * spin before it as configured for those that have something open. Throws ERR_TUNNEL_UNAVAILABLE without koffi, and on
 * any system but Linux.
 */
export function createEpollEngine (spin: SpinChoice = 'auto'): Engine {
  return new EpollEngine(spin)
}

class EpollEngine implements Engine, EpollEngineParts {
  readonly name = 'epoll'
  readonly loop = eventLoop()
  readonly counters = emptyEngineCounters()
  readonly spin: Spin

  constructor (spin: SpinChoice) {
    this.spin = new Spin(spin, this.loop.system, this.counters)
  }

  listen (address: Address, onSocket: (socket: Socket) => void, options?: ListenOptions): Promise<Listener> {
    return listenEpoll(this, address, onSocket, options)
  }

  connect (address: Address, reader: Reader, options: ConnectOptions): Socket {
    return new ConnectingSocket(this, address, reader, options.timeoutMs)
  }

  atTurnEnd (task: () => void, phase?: TurnPhase): void {
    this.loop.turnEnd.addTask(task, phase)
  }

  alarm (onRing: () => void): Alarm {
    return new EpollAlarm(this, onRing)
  }

  pollUntilAsleep (polled: Polled): void {
    this.loop.pollUntilAsleep(polled)
  }
}
