import { type CpuUsage, readCpuUsage } from '../../metrics/cpu.js'

/** Some systems count a thread's CPU time in ticks of 10 ms. */
const SHORTEST_NS = 100e6

interface Reading {
  readonly atNs: number
  readonly cpu: CpuUsage | null
  readonly idleNs: number
}

/**
 * How much of the window a load thread worked: its CPU time, without what it spent on waiting awake. At 1 it is the
 * generator that limits.
 */
export class BusyMeter {
  readonly #readCpu: () => CpuUsage | null
  #from: Reading | null = null
  #to: Reading | null = null

  constructor (readCpu: () => CpuUsage | null = readCpuUsage) {
    this.#readCpu = readCpu
  }

  /** The first call begins, the last one ends what is measured. `idleNs`: CPU time so far that was waiting. */
  read (atNs: number, idleNs: number): void {
    const reading = { atNs, cpu: this.#readCpu(), idleNs }
    this.#from ??= reading
    this.#to = reading
  }

  get hasBegun (): boolean { return this.#from !== null }

  /**
   * From 0 to about 1 (a main thread's figure is its process's, with V8's helper threads); null where the system does
   * not tell, and for less than 0.1 s.
   */
  share (): number | null {
    const [from, to] = [this.#from, this.#to]
    if (from === null || to === null || from.cpu === null || to.cpu === null || to.atNs - from.atNs < SHORTEST_NS) {
      return null
    }
    const workedNs =
      (to.cpu.userUs + to.cpu.systemUs - from.cpu.userUs - from.cpu.systemUs) * 1_000 - (to.idleNs - from.idleNs)
    return Math.max(0, workedNs / (to.atNs - from.atNs))
  }
}
