import net from 'node:net'
import { formatAddress, type Address } from '../../base/address.js'
import type { TunnelError } from '../../base/errors.js'
import type { Reader } from '../engine.js'
import { addressesOf, attemptMsOf, noteWorking } from '../host-name.js'
import { TCP_OPTIONS } from './node-listener.js'
import { NodeSocket, type NodeEngineParts } from './node-socket.js'
import { brokenError, connectError, connectTimeout } from '../socket-errors.js'

/** Claims that wait for their bytes, over all sockets of an engine. A pool must have more. */
const MAX_RESERVATIONS = 8
/** Node takes no less. */
const NODE_MIN_ATTEMPT_MS = 10

/**
 * For `net.connect()`, which asks for all addresses where it may choose among them, and tries each once, in the order
 * given. It gives up on all but the last after a time, and does not come back to them: an address that is slow and
 * right has to be given more of the time limit than where it can be tried again (epoll).
 */
const lookupAll: net.LookupFunction = (host, _options, callback) => {
  addressesOf(host, (error, addresses) => {
    process.nextTick(callback, error, addresses.map((address) => ({ address, family: net.isIP(address) })))
  })
}

/**
 * Node lets a connecting socket supply the memory of each read, but wants it before the data comes. `armed` is that
 * memory:
 *
 *     connecting, paused, or idle with a reader whose claims reserve the parking buffer: copied out, nobody's memory is
 *   held
 *     a read filled its buffer, so more is waiting                    a claim: the kernel writes straight into it
 *     a reader whose claims reserve nothing                           a claim, from the second read on
 *
 * Node asks for the first buffer inside `net.connect()`, where the reader must not be called: hence the first read is
 * parked. A claim armed for bytes that then do not come stays reserved until the next read, and cannot be taken back.
 * Many of those would use a bounded pool up for ever, so all sockets of an engine together reserve at most a few
 * claims; the others park and copy.
 */
export class ConnectingSocket extends NodeSocket {
  private armed: Uint8Array
  private connectTimer: NodeJS.Timeout | undefined
  private connected = false
  private reserving = false
  private readonly address: Address
  protected readonly raw: net.Socket

  constructor (parts: NodeEngineParts, address: Address, reader: Reader, timeoutMs: number) {
    super(parts)
    this.address = address
    this.reader = reader
    this.armed = parts.parking
    const options = {
      allowHalfOpen: true,
      // Node keeps the last buffer when this returns anything but a Uint8Array, so it always returns one.
      onread: { buffer: () => this.armed, callback: this.handleRead }
    }
    this.raw = address.kind === 'tcp'
      ? net.connect({
        ...options,
        ...TCP_OPTIONS,
        host: address.host,
        port: address.port,
        lookup: lookupAll,
        autoSelectFamily: true,
        autoSelectFamilyAttemptTimeout: Math.max(NODE_MIN_ATTEMPT_MS, 2 * attemptMsOf(timeoutMs))
      })
      : net.connect({ ...options, path: address.path })
    this.watch()
    this.raw.on('close', () => {
      clearTimeout(this.connectTimer)
      this.unreserve()
    })
    this.raw.on('connect', () => {
      clearTimeout(this.connectTimer)
      this.connected = true
      if (address.kind === 'tcp') noteWorking(address.host, this.raw.remoteAddress ?? '')
      if (!this.cut) reader.connect?.()
    })
    if (timeoutMs > 0) {
      this.connectTimer = setTimeout(() => {
        this.fail(connectTimeout(address, timeoutMs))
        this.raw.destroy()
      }, timeoutMs)
    }
  }

  protected override isTcp (): boolean {
    return this.address.kind === 'tcp'
  }

  protected override toTunnelError (cause: unknown): TunnelError {
    return this.connected
      ? brokenError(`to ${formatAddress(this.address)}`, cause)
      : connectError(this.address, ...(cause instanceof AggregateError ? cause.errors : [cause]))
  }

  /** This starts the reading and nothing else; `raw.resume()` would start it once more a tick later, wanted or not. */
  protected override startReading (): void {
    this.raw.read(0)
  }

  /** A claim that is armed cannot be taken back, and belongs to others from here on: then nothing is read any more. */
  protected override discard (): void {
    if (this.armed === this.parts.parking) this.startReading()
    else this.raw.pause()
  }

  /**
   * One read is done. Node calls this, then takes `armed` for the next read, then stops reading if this returned false.
   */
  private readonly handleRead = (bytes: number, buffer: Uint8Array): boolean => {
    const { parking } = this.parts
    const { reader } = this
    this.armed = parking
    this.unreserve()
    if (reader === null || this.cut) return true
    if (buffer === parking) {
      if (!this.take(parking.subarray(0, bytes), false)) return false
    } else {
      this.parts.counters.zeroCopyBytes += bytes
      reader.commit(bytes, false)
    }
    if (this.cut || (reader.claimReserves && (bytes < buffer.length || this.parts.reservations >= MAX_RESERVATIONS))) {
      return true
    }
    const claim = reader.claim()
    if (claim === null) {
      this.paused = true
      return false
    }
    this.armed = claim
    this.reserving = reader.claimReserves
    if (this.reserving) this.parts.reservations++
    return true
  }

  private unreserve (): void {
    if (!this.reserving) return
    this.reserving = false
    this.parts.reservations--
  }
}
