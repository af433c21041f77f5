import { readFileSync } from 'node:fs'
import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv'
import { ErrorCode, messageOf, TunnelError } from '../base/errors.js'
import { HistogramSnapshot } from '../metrics/histogram-snapshot.js'
import { decodeRound, type Encoded } from './encoded.js'
import type { RoundResult, RunResult } from './run-result.js'
import type { SweepResult } from './sweep-result.js'
import { oneLine } from '../base/text.js'

/** The one truth about the shape of the files; this one runs from dist/src/result/, three levels below the package. */
const SCHEMA_URLS = {
  result: new URL('../../../docs/result.schema.json', import.meta.url),
  sweep: new URL('../../../docs/sweep.schema.json', import.meta.url)
}

const validators: Partial<Record<keyof typeof SCHEMA_URLS, ValidateFunction>> = {}

/**
 * Reads the text of a result.json that anybody may have written. Throws ERR_TUNNEL_RESULT_INVALID that names the line
 * or the property and what was expected there. Beyond the schema it checks what rendering relies on: cells belong to
 * the options and appear once, rounds of a cell differ, histograms can be decoded. Decodes them, here and nowhere else.
 */
export function readRunResult (text: string): RunResult {
  const value = readAgainst<Encoded<RunResult>>(text, 'result')
  checkCells(value)
  const planned = value.metadata.options.rounds
  return {
    ...value,
    cells: value.cells.map(({ equalLoad, ...cell }, at) => ({
      ...withPath(cell),
      rounds: readRounds(cell.rounds, `/cells/${at}/rounds`, planned),
      ...(equalLoad === undefined
        ? {}
        : {
            equalLoad: {
              ...equalLoad,
              rounds: readRounds(equalLoad.rounds, `/cells/${at}/equalLoad/rounds`, planned)
            }
          })
    }))
  }
}

/** Reads the text of a sweep.json, as `readRunResult()` reads a result.json. */
export function readSweepResult (text: string): SweepResult {
  const value = readAgainst<Encoded<SweepResult>>(text, 'sweep')
  const { arms, rounds: planned } = value.metadata.options
  return {
    ...value,
    arms: value.arms.map((arm, at) => {
      if (!arms.includes(arm.arm)) {
        throw invalid(`/arms/${at}/arm must be one of /metadata/options/arms: it is ${quote(arm.arm)}`)
      }
      const points = arm.points.map((point, number) =>
        ({ ...point, rounds: readRounds(point.rounds, `/arms/${at}/points/${number}/rounds`, planned) }))
      return { ...withPath(arm), points }
    })
  }
}

/** Earlier versions wrote the path as `transport`, and no `path`. */
function withPath<T extends { readonly arm: string, readonly path?: string, readonly transport: string }> (
  one: T
): T & { readonly path: string } {
  const { arm, path, transport } = one
  return {
    ...one,
    path: path ?? (transport === 'external' ? arm.replace(/#\d+$/, '') : transport),
    transport: path === undefined ? transport.replace(/-(uds|embedded)$/, '') : transport
  }
}

function readAgainst<T> (text: string, schema: keyof typeof SCHEMA_URLS): T {
  const value = parseJson(text)
  const version =
    typeof value === 'object' && value !== null && 'schemaVersion' in value ? value.schemaVersion : undefined
  if (version !== undefined && version !== 1) {
    throw invalid(
      `schemaVersion must be 1: it is ${quote(version)}: use the version of this program that wrote the file, or a ` +
      'newer one'
    )
  }
  const validate = validators[schema] ??= compile(schema)
  if (!validate(value)) throw invalid(describe(validate.errors ?? [], value))
  return value as T
}

/** The schema of a sweep refers to that of a run. */
function compile (schema: keyof typeof SCHEMA_URLS): ValidateFunction {
  const read = (name: keyof typeof SCHEMA_URLS): object => JSON.parse(readFileSync(SCHEMA_URLS[name], 'utf8')) as object
  const ajv = new Ajv({ strict: true, allowUnionTypes: true })
  return schema === 'result'
    ? ajv.compile(read('result'))
    : ajv.addSchema(read('result'), 'result.schema.json').compile(read(schema))
}

function invalid (what: string, cause?: unknown): TunnelError {
  return new TunnelError(ErrorCode.RESULT_INVALID, `Cannot read the result: ${what}`, { cause })
}

function parseJson (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    const reason = messageOf(error)
    throw invalid(`it is not JSON${lineOf(text, reason)}: ${oneLine(reason)}`, error)
  }
}

/** V8 names a character position, or quotes the text around it, or says that the text ended. */
function lineOf (text: string, reason: string): string {
  const position = /at position (\d+)/.exec(reason)?.[1]
  const excerpt = /\.\.\."([^]+)"\.\.\. is not valid JSON$/.exec(reason)?.[1]
  const at =
    position !== undefined
      ? Number(position)
      : excerpt !== undefined
        ? text.indexOf(excerpt)
        : /end of JSON input/.test(reason)
          ? text.length
          : -1
  return at < 0 ? '' : ` (line ${text.slice(0, at).split('\n').length})`
}

/** The first thing wrong, with its property, what is there and what was expected. */
function describe (errors: readonly ErrorObject[], value: unknown): string {
  const [error] = errors
  if (error === undefined) return 'it breaks its schema'
  const place = error.instancePath === '' ? 'the top level' : error.instancePath
  const params = error.params as {
    additionalProperty?: string
    allowedValue?: unknown
    allowedValues?: unknown[]
    pattern?: string
  }
  if (error.keyword === 'additionalProperties') {
    return `${place} must not have a property ${quote(params.additionalProperty)}`
  }
  const expected = error.keyword === 'enum'
    ? `must be one of ${(params.allowedValues ?? []).map(quote).join(', ')}`
    : error.keyword === 'const' ? `must be ${quote(params.allowedValue)}` : error.message ?? 'is wrong'
  return error.keyword === 'required'
    ? `${place} ${expected}`
    : `${place} ${expected}: it is ${quote(valueAt(value, error.instancePath))}`
}

/** RFC 6901. */
function valueAt (value: unknown, pointer: string): unknown {
  return pointer.split('/').slice(1).map(key => key.replaceAll('~1', '/').replaceAll('~0', '~'))
    .reduce<unknown>((parent, key) => (parent as Record<string, unknown> | undefined)?.[key], value)
}

function quote (value: unknown): string {
  const text = oneLine(JSON.stringify(value) ?? 'missing')
  return text.length > 60 ? `${text.slice(0, 59)}…` : text
}

function checkCells (result: Encoded<RunResult>): void {
  const { arms, sizes, concurrency } = result.metadata.options
  const seen = new Map<string, number>()
  for (const [at, cell] of result.cells.entries()) {
    const place = `/cells/${at}`
    if (!arms.includes(cell.arm)) {
      throw invalid(`${place}/arm must be one of /metadata/options/arms: it is ${quote(cell.arm)}`)
    }
    if (!sizes.includes(cell.size)) {
      throw invalid(`${place}/size must be one of /metadata/options/sizes: it is ${quote(cell.size)}`)
    }
    if (!concurrency.includes(cell.concurrency)) {
      throw invalid(`${place}/concurrency must be one of /metadata/options/concurrency: it is ${cell.concurrency}`)
    }
    const key = JSON.stringify([cell.arm, cell.size, cell.concurrency])
    const first = seen.get(key)
    if (first !== undefined) {
      throw invalid(
        `${place} must be another cell than /cells/${first}: both are ${cell.arm}, ${cell.size}, concurrency ` +
        `${cell.concurrency}`
      )
    }
    seen.set(key, at)
  }
}

/** With their histograms decoded. `planned`: how many the options ask for. */
function readRounds (rounds: ReadonlyArray<Encoded<RoundResult>>, place: string, planned: number): RoundResult[] {
  const seen = new Set<number>()
  return rounds.map((round, at) => {
    if (round.round >= planned) {
      throw invalid(`${place}/${at}/round must be below /metadata/options/rounds (${planned}): it is ${round.round}`)
    }
    if (seen.has(round.round)) {
      throw invalid(`${place}/${at}/round must differ from the other rounds of the cell: it is ${round.round} again`)
    }
    seen.add(round.round)
    return decodeRound<RoundResult>(round, (text, property) => readHistogram(text, `${place}/${at}${property}`))
  })
}

function readHistogram (text: string, place: string): HistogramSnapshot {
  try {
    return new HistogramSnapshot(text)
  } catch (error) {
    throw invalid(`${place} must be an HdrHistogram V2 in base64: ${oneLine((error as Error).message)}`, error)
  }
}
