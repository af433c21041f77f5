/**
 * Executes command lines of the programs one after the other in this process, as fast as they are: most of the time of
 * a program that only refuses its arguments goes into starting it. Each message is one command line; the answer is what
 * its process would have printed and its exit code.
 */
export interface CommandLine {
  readonly name: string
  readonly args: readonly string[]
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
}

export interface Printed {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

const home = process.cwd()
const { env } = process
let count = 0

async function execute ({ name, args, cwd = home, env: more = {} }: CommandLine): Promise<Printed> {
  const printed = { stdout: '', stderr: '' }
  for (const stream of ['stdout', 'stderr'] as const) {
    process[stream].write = (text: string | Uint8Array) => {
      printed[stream] += String(text)
      return true
    }
  }
  process.argv = [process.execPath, name, ...args]
  process.env = { ...env, ...more }
  process.exitCode = undefined
  process.chdir(cwd)
  // Under a new address the program's entry point is executed again; what it imports is there already.
  await import(new URL(`../${name}.js?${++count}`, import.meta.url).href)
  return { code: Number(process.exitCode ?? 0), ...printed }
}

let last: Promise<unknown> = Promise.resolve()
process.setMaxListeners(0)
for (const stream of [process.stdout, process.stderr]) stream.setMaxListeners(0)
process.on('message', ({ id, commandLine }: { id: number, commandLine: CommandLine }) => {
  last = last.then(async () => {
    const printed = await execute(commandLine)
    process.exitCode = undefined
    process.send!({ id, printed })
  })
})
process.on('disconnect', () => { process.exit() })
