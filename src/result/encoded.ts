import { HistogramSnapshot } from '../metrics/histogram-snapshot.js'
import type { RoundResult } from './run-result.js'

/** The same with its histograms as text: as it travels between roles, and as it stands in a file. */
export type Encoded<T> = T extends HistogramSnapshot
  ? string
  : T extends object ? { [K in keyof T]: Encoded<T[K]> } : T

type Timed = Pick<RoundResult, 'latency' | 'connect' | 'response' | 'lag' | 'seconds'>

/** Reads the text at a place of the round, such as `/seconds/0/latency`. */
type Decode = (text: string, place: string) => HistogramSnapshot

/** Decodes the histograms of a round, once and for all. Throws what `decode` does: ERR_TUNNEL_RESULT_INVALID. */
export function decodeRound<T extends Timed> (
  round: Encoded<T>,
  decode: Decode = (text) => new HistogramSnapshot(text)
): T {
  const encoded = round as Encoded<Timed>
  const decodeField = (name: 'response' | 'lag'): Partial<Timed> => {
    const text = encoded[name]
    return typeof text === 'string' ? { [name]: decode(text, `/${name}`) } : {}
  }
  const timed: Timed = {
    latency: decode(encoded.latency, '/latency'),
    connect: decode(encoded.connect, '/connect'),
    ...decodeField('response'),
    ...decodeField('lag'),
    ...(encoded.seconds === undefined
      ? {}
      : {
          seconds: encoded.seconds.map((second, at) =>
            ({ ...second, latency: decode(second.latency, `/seconds/${at}/latency`) }))
        })
  }
  return { ...round, ...timed } as unknown as T
}
