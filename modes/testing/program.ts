import { type ChildProcess, spawn } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { constants } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { ExecutionContext } from 'ava'

export interface Ended {
  /** Exit code, or null when a signal ended it. */
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface ProgramOptions {
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** In a process group of its own, as a terminal would start it. */
  readonly ownGroup?: boolean
  /** What standard input holds; default: nothing, as of /dev/null. */
  readonly input?: string
}

/** One of the commands as a process of its own; it is killed with the test. */
export class Program {
  readonly child: ChildProcess
  readonly ended: Promise<Ended>
  stdout = ''
  stderr = ''
  readonly #changes = new EventEmitter().setMaxListeners(0)
  #hasEnded = false

  constructor (t: ExecutionContext, name: string, args: readonly string[], options: ProgramOptions = {}) {
    const { env = {}, cwd, ownGroup = false, input } = options
    const entryPoint = fileURLToPath(new URL(`../${name}.js`, import.meta.url))
    this.child = spawn(process.execPath, [entryPoint, ...args], {
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
      cwd,
      detached: ownGroup
    })
    if (input !== undefined) this.child.stdin!.end(input)
    for (const stream of ['stdout', 'stderr'] as const) {
      this.child[stream]!.setEncoding('utf8').on('data', (text: string) => {
        this[stream] += text
        this.#changes.emit('change')
      })
    }
    this.ended = once(this.child, 'close').then(([code, signal]) => {
      this.#hasEnded = true
      this.#changes.emit('change')
      return {
        code: code as number | null,
        signal: signal as NodeJS.Signals | null,
        stdout: this.stdout,
        stderr: this.stderr
      }
    })
    t.teardown(async () => {
      this.child.kill('SIGKILL')
      await this.ended
    })
  }

  get pid (): number { return this.child.pid! }

  kill (signal: NodeJS.Signals): void {
    this.child.kill(signal)
  }

  /**
   * As somebody does who has lost patience: again and again until it has ended. One that comes while the program exits
   * may be what ends it: the code is then that of a shell.
   */
  async insist (signal: NodeJS.Signals): Promise<Ended> {
    const again = setInterval(() => { this.kill(signal) }, 100)
    try {
      const ended = await this.ended
      return ended.signal === signal ? { ...ended, code: 128 + constants.signals[signal], signal: null } : ended
    } finally {
      clearInterval(again)
    }
  }

  /** As Ctrl-C does: to the program and every process it started. */
  killGroup (signal: NodeJS.Signals): void {
    process.kill(-this.pid, signal)
  }

  /** Resolves to the first match in the output; rejects when the program ends without. */
  async output (pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.stdout) ?? pattern.exec(this.stderr)
      if (match !== null) return match
      if (this.#hasEnded) throw new Error(`It ended without ${String(pattern)}:\n${this.stdout}\n${this.stderr}`)
      await once(this.#changes, 'change')
    }
  }

  /** Everything that was printed with `--json`. */
  get events (): Array<Record<string, unknown>> {
    return this.stdout.split('\n').slice(0, -1).map((line) => JSON.parse(line) as Record<string, unknown>)
  }

  /** Resolves to the `count`th event of a kind. */
  async event (kind: string, count = 1): Promise<Record<string, unknown>> {
    for (;;) {
      const found = this.events.filter(({ event }) => event === kind)[count - 1]
      if (found !== undefined) return found
      if (this.#hasEnded) throw new Error(`It ended without the event ${kind}:\n${this.stdout}\n${this.stderr}`)
      await once(this.#changes, 'change')
    }
  }
}

const AT_ONE_TIME = 4
let atWork = 0
const waiting: Array<() => void> = []

/** For tests that run side by side and start programs one after the other: so many of them are at work at one time. */
export async function inTurn<T> (work: () => Promise<T>): Promise<T> {
  if (atWork === AT_ONE_TIME) await new Promise<void>((resolve) => { waiting.push(resolve) })
  else atWork++
  try {
    return await work()
  } finally {
    const next = waiting.shift()
    if (next === undefined) atWork--
    else next()
  }
}

export async function runToEnd (
  t: ExecutionContext,
  name: string,
  args: readonly string[],
  options?: ProgramOptions
): Promise<Ended> {
  return await inTurn(async () => await new Program(t, name, args, options).ended)
}
