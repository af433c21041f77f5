import { ErrorCode, TunnelError } from '../../src/base/errors.js'
import type { RunMetadata, RunOptions } from '../../src/result/run-result.js'
import { collectMetadata } from '../measure/metadata.js'
import { createResultsFolder, removeEmptyFolder } from '../output/folders.js'
import { createProgress, interruptSignal, printNote } from '../output/terminal.js'
import { armsOf } from '../plan/arms.js'
import { RoleSupervisor, type Roles } from '../roles/role-supervisor.js'
import { Topology } from '../roles/topology.js'

type MeasuredOptions = Pick<
  RunOptions,
  'arms' | 'mode' | 'server' | 'engine' | 'spinUs' | 'segment' | 'generator' | 'externalArms' | 'originPort'
>

export interface MeasuringSettings {
  /** Folder in which the results folder is made. */
  readonly out: string
  /** The line that says what is measured, once the roles run. */
  readonly headline: (roles: Roles) => string
  /** Versions of further programs that take part. */
  readonly versions?: Readonly<Record<string, string>>
}

/** How the results of a command are written, drawn and printed. */
export interface Findings<Judged> {
  readonly write: () => Judged
  /** Judged anew where nothing could be written. */
  readonly tables: (judged?: Judged) => string
  readonly draw: (judged: Judged) => Promise<void>
  /** What is in the results folder, in words. */
  readonly files: string
  readonly exitCode: (judged: Judged) => number
}

/** What `run` and `sweep` have in common: the results folder, the roles, Ctrl-C, progress, and how they end. */
export class MeasuringCommand<Options extends MeasuredOptions> {
  readonly folder: string
  readonly progress = createProgress()
  readonly roles: RoleSupervisor
  /** Aborted by Ctrl-C. */
  readonly signal = interruptSignal(async () => { await this.roles.closeNow() })
  readonly #startedAt = new Date()
  readonly #options: Options
  readonly #settings: MeasuringSettings
  #metadata: RunMetadata<Options> | null = null

  /** Starts nothing yet. Throws ERR_TUNNEL_USAGE where the folder cannot be made. */
  constructor (options: Options, settings: MeasuringSettings) {
    this.#options = options
    this.#settings = settings
    this.roles = new RoleSupervisor(() => topologyOf(options), (roles) => { this.#introduce(roles) }, this.signal)
    this.folder = createResultsFolder(settings.out, this.#startedAt)
    process.on('exit', () => { removeEmptyFolder(this.folder) })
  }

  /** What every result begins with, as soon as the roles have run. */
  headOfResult (finishedAt: Date | null): {
    schemaVersion: 1, startedAt: string, finishedAt: string | null, metadata: RunMetadata<Options>
  } {
    return {
      schemaVersion: 1,
      startedAt: this.#startedAt.toISOString(),
      finishedAt: finishedAt === null ? null : finishedAt.toISOString(),
      metadata: this.#metadata!
    }
  }

  /** Rejects with ERR_TUNNEL_INTERRUPTED where nothing was measured. */
  async measure<T> (action: () => Promise<T>, hasMeasured: (found: T) => boolean): Promise<T> {
    const found = await action().finally(() => { this.progress.clear() })
    if (hasMeasured(found)) return found
    throw new TunnelError(
      ErrorCode.INTERRUPTED,
      'Interrupted before the first measurement was done: there are no results'
    )
  }

  /**
   * Writes and prints what was found, and returns the exit code. Rejects with ERR_TUNNEL_INTERRUPTED where it is not
   * everything, and with what the findings throw.
   */
  async finish<Judged> ({ write, tables, draw, files, exitCode }: Findings<Judged>): Promise<number> {
    const judged = writeOrPrint(write, tables)
    await draw(judged)
    console.log(`\n${tables(judged)}`)
    console.log(`Results: ${this.folder}/${files}`)
    if (this.signal.aborted) {
      throw new TunnelError(ErrorCode.INTERRUPTED, 'Interrupted: the tables hold what was measured until then')
    }
    return exitCode(judged)
  }

  /** Once: the roles may be started again. */
  #introduce (roles: Roles): void {
    if (this.#metadata !== null) return
    const metadata = collectMetadata(this.#options, roles.engine, roles.server)
    this.#metadata = { ...metadata, versions: { ...metadata.versions, ...this.#settings.versions } }
    for (const note of [roles.engineNote, roles.serverNote]) {
      if (note !== null) printNote(note)
    }
    console.log(this.#settings.headline(roles))
  }
}

function topologyOf (options: MeasuredOptions): Topology {
  return new Topology({
    mode: options.mode,
    server: options.server,
    engine: options.engine ?? 'auto',
    generator: options.generator ?? 'own',
    spin: options.spinUs ?? 'auto',
    arms: armsOf(options),
    externalArms: options.externalArms ?? [],
    originPort: options.originPort ?? 0,
    segment: options.segment,
    onNote: printNote
  })
}

/**
 * The end of a measurement whose results cannot be written: what it found is printed at least. Throws what `write`
 * does.
 */
function writeOrPrint<T> (write: () => T, textOf: () => string): T {
  try {
    return write()
  } catch (error) {
    console.log(`\n${textOf()}`)
    throw error
  }
}
