import type { Address, ConnectionAddresses } from '../base/address.js'
import type { TunnelError } from '../base/errors.js'
import type { SocketFileEvent } from './socket-file.js'

export type EngineName = 'epoll' | 'node'
export type { SocketFileEvent }

/**
 * The Engine seam: how bytes move between this thread and TCP or Unix sockets. Everything runs on the thread that made
 * the engine; callbacks never run inside the call that caused them, except where stated.
 */
export interface Engine {
  readonly name: EngineName
  readonly counters: EngineCounters

  /**
   * Listens on `address` and calls `onSocket` for every accepted connection. `onSocket` must call `socket.start()`
   * before it returns. A name is listened on at all its addresses that this machine has, at one port. A Unix socket is
   * of mode 0600 from the beginning (node engine in a worker thread: from just after it listens; a thread has no umask
   * of its own). A dead one left there by a killed process is replaced, a live one or another kind of file is not, and
   * one that somebody removes is made again, within about a second. Rejects with ERR_TUNNEL_ADDRESS_IN_USE,
   * ERR_TUNNEL_ADDRESS_DENIED, or ERR_TUNNEL_SOCKET_FAILED.
   */
  listen (address: Address, onSocket: (socket: Socket) => void, options?: ListenOptions): Promise<Listener>

  /**
   * Connects, then calls `reader.connect()`. The addresses of a name are tried in turn, the one that worked last
   * first; an attempt that
   * hangs has a quarter of `timeoutMs` (node engine: half) while others are left. On failure calls `reader.close()`
   * with ERR_TUNNEL_CONNECT_REFUSED, ERR_TUNNEL_CONNECT_TIMEOUT (after `timeoutMs`; 0 waits for ever), ERR_TUNNEL_LIMIT
   * (out of local ports or descriptors) or ERR_TUNNEL_SOCKET_FAILED. Writes made before the connection is established
   * are kept and sent then. The socket is started: do not call `start()`.
   */
  connect (address: Address, reader: Reader, options: ConnectOptions): Socket

  /**
   * Runs `task` once, when the events of the current turn of the loop have been handled: in its phase (default PUMP),
   * there in the order given. A task added by a task runs in the same turn. So frames are delivered, scheduled and
   * published once per turn, not once per event.
   */
  atTurnEnd (task: () => void, phase?: TurnPhase): void

  /**
   * Makes a clock that wakes this thread, as exactly as this engine can. It keeps the thread alive until it is closed.
   */
  alarm (onRing: () => void): Alarm

  /**
   * Looks at `polled` in every turn and while the loop spins, until it is asleep. Call it again then; more often does
   * no harm.
   */
  pollUntilAsleep (polled: Polled): void
}

/**
 * The end of a turn, in this order. A phase begins when there is nothing left to do in those before it. After the last
 * one the engine's sockets send what was written to them in this turn.
 */
export const TurnPhase = {
  /** What peers have sent is handed on. */
  DELIVER: 0,
  /** Channels are served in fair order: frames go to their links. */
  PUMP: 1,
  /** Links show their peers what was sent, taken and given back, and ring where a peer sleeps. */
  PUBLISH: 2
} as const
export type TurnPhase = typeof TurnPhase[keyof typeof TurnPhase]

/**
 * What a thread waits for besides its sockets: something that its peer changes without a system call, such as a ring in
 * shared memory.
 */
export interface Polled {
  /** Looks once, and takes what is there. Returns whether there was anything. */
  poll (): boolean
  /**
   * The thread is about to sleep. False: there is something to take already. True: whatever brings something wakes this
   * thread, by one of its sockets.
   */
  trySleep (): boolean
}

/**
 * Wakes the thread it was made on, which may then stay awake (`pollUntilAsleep`) for what is left to the exact time.
 */
export interface Alarm {
  /**
   * How far from its time an idle thread is woken, in nanoseconds, in either direction. A busy one is woken when it is
   * done.
   */
  readonly precisionNs: number
  /**
   * Rings once, about at `atNs` of `nowNs()`; a time that has passed rings in the next turn. Replaces the time that was
   * set before.
   */
  set (atNs: number): void
  /** It rings no more. */
  close (): void
}

/**
 * TCP keepalive, of accepted and connecting sockets alike: a peer that has been silent for `idleSec` is asked every
 * `intervalSec`, and is cut off as gone after `probes` without an answer. Node lets a program choose the first only:
 * with the node engine it is 10 probes, one second apart.
 */
export const KEEPALIVE = { idleSec: 60, intervalSec: 10, probes: 6 } as const

/** Clients that may wait to be accepted. */
export const BACKLOG = 1024

export interface ListenOptions {
  /** Told what happens to the file of a Unix socket. */
  readonly onSocketFile?: ((event: SocketFileEvent) => void) | undefined
  /**
   * Told of every client that could not be accepted for want of descriptors or memory, with ERR_TUNNEL_LIMIT. Its
   * connection is closed. The node engine never knows: libuv closes such connections by itself.
   */
  readonly onTurnedAway?: ((error: TunnelError) => void) | undefined
}

export interface ConnectOptions {
  readonly timeoutMs: number
}

/** Counts since the engine was made. */
export interface EngineCounters {
  socketsOpened: number
  socketsClosed: number
  /** Bytes the engine read straight into claimed memory. */
  zeroCopyBytes: number
  /** Bytes the engine read into memory of its own first, and then copied into claimed memory. */
  copiedBytes: number
  /** Times the engine looked for work again and again instead of sleeping at once, and how many of them found some. */
  spins: number
  spinHits: number
  /** The CPU time that took, in µs: a part of what the process has used. */
  spinUs: number
}

export function emptyEngineCounters (): EngineCounters {
  return { socketsOpened: 0, socketsClosed: 0, zeroCopyBytes: 0, copiedBytes: 0, spins: 0, spinHits: 0, spinUs: 0 }
}

export interface Listener {
  /** The address that was asked for, with the port that was really bound. */
  readonly address: Address
  /** All that were bound: of a name, each of its addresses that this machine has. */
  readonly addresses: readonly Address[]
  /** Stops accepting and frees the address (a Unix socket's file is removed). Accepted sockets live on. */
  close (): Promise<void>
}

/** What a socket's user supplies: memory to read into, and what to do with it. */
export interface Reader {
  /**
   * Memory for the next read, at least 1 byte, or null: no room now, and the engine stops reading until
   * `socket.resume()`. `bytes`, if given, is how many are waiting; otherwise the engine does not know, and the reader
   * offers what suits it. At most one claim is outstanding; `close()` voids it, and a new `claim()` replaces it.
   */
  claim (bytes?: number): Uint8Array | null
  /**
   * `bytes` (1 to the length of the claimed memory) lie at the start of the memory claimed last. `copied`: the engine
   * read them into memory of its own first.
   */
  commit (bytes: number, copied: boolean): void
  /** The other side will send no more (a half-close). Called at most once, after the last commit. */
  end (): void
  /**
   * The socket is gone, its descriptor with it, and every write released. Called exactly once, last: after everything
   * that the other side's bytes brought here before it cut the connection off. null: both sides finished, or this side
   * cut it off; else why it broke.
   */
  close (error: TunnelError | null): void
  /** Connecting sockets only: the connection is established. */
  connect? (): void
  /**
   * True: a claim reserves memory that others could use (a slot of a bounded pool), so an engine that must arm memory
   * before the data comes reads the beginning of a burst into a small buffer of its own instead, and idle sockets
   * reserve nothing.
   */
  readonly claimReserves: boolean
}

export interface Socket {
  /** Accepted sockets: begins reading. Called once, inside `onSocket`. */
  start (reader: Reader): void
  /**
   * Sends `view` from where it lies: its bytes must not change until `release()`, which is called exactly once, and
   * means "this memory is free again", never "delivered". After `shutdown()`, `reset()`, `abort()` or the close, the
   * bytes are dropped and released.
   */
  write (view: Uint8Array, release: () => void): void
  /** Half-close: what was written leaves first, then the other side reads end-of-file. Reading goes on. */
  shutdown (): void
  /**
   * Cuts the connection off behind what was written: the other side reads all of it, then that it was cut off (TCP:
   * RST). What it sends meanwhile is thrown away. If it takes no byte for `STALL_LIMIT_MS`, the rest is dropped.
   * `reader.close(null)` follows.
   */
  reset (): void
  /**
   * Cuts the connection off at once (TCP: RST); unsent writes are dropped and released. `reader.close(null)` follows.
   */
  abort (): void
  /**
   * Tries `reader.claim()` again after it returned null. Harmless at any other time. May call the reader before it
   * returns.
   */
  resume (): void
  /**
   * Accepted sockets: both ends of the connection; null for a Unix socket, and where the client has gone. Asked lazily.
   */
  peerAddress? (): ConnectionAddresses | null
  /** Bytes written and not yet released. */
  readonly pendingBytes: number
}
