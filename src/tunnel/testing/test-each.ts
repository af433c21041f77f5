import test, { type ExecutionContext } from 'ava'
import type { ShmOptions } from '../../transport/shm/create-shm-transport.js'
import { TunnelRig } from './rig.js'
import { createTransport, type TransportName, WITHIN_A_PROCESS } from './transports.js'

export interface EachOptions {
  /** Default: what serves within one process. */
  readonly over?: readonly TransportName[]
  /** Of the shared memory. */
  readonly memory?: Omit<ShmOptions, 'memory'>
  readonly register?: typeof test.serial
}

/** One test for each transport, with a rig that uses it. */
export function testEach (
  title: string,
  body: (t: ExecutionContext, rig: TunnelRig, name: TransportName) => Promise<void>,
  { over = WITHIN_A_PROCESS, memory = {}, register = test }: EachOptions = {}
): void {
  for (const name of over) {
    register(`${title} (${name})`, (t) => body(t, new TunnelRig(t, createTransport(name, memory)), name))
  }
}
