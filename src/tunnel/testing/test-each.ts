import test, { type ExecutionContext } from 'ava'
import type { EngineName } from '../../engine/engine.js'
import type { ShmOptions } from '../../transport/shm/create-shm-transport.js'
import { TunnelRig } from './rig.js'
import { createTransport, type TransportName, WITHIN_A_PROCESS } from './transports.js'

export interface EachOptions {
  /** Default: what serves within one process. */
  readonly over?: readonly TransportName[]
  /** Of the shared memory. */
  readonly memory?: Omit<ShmOptions, 'memory'>
  readonly register?: typeof test.serial
  /** One test for each of these as well. Default: on what users get. */
  readonly engines?: readonly EngineName[]
}

/** One test for each transport, with a rig that uses it. */
export function testEach (
  title: string,
  body: (t: ExecutionContext, rig: TunnelRig, name: TransportName) => Promise<void>,
  { over = WITHIN_A_PROCESS, memory = {}, register = test, engines }: EachOptions = {}
): void {
  for (const engine of engines ?? [undefined]) {
    for (const name of over) {
      const where = engine === undefined ? name : `${name}, ${engine}`
      register(`${title} (${where})`, (t) => body(t, new TunnelRig(t, createTransport(name, memory), engine), name))
    }
  }
}
