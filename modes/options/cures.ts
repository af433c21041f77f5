import { type Cure, TunnelError } from '../../src/base/errors.js'

/** The option that helps, for errors that name a cure in general words. */
export type Cures = Readonly<Partial<Record<Cure, string>>>

/** The message of an error, with the option that helps where there is one. */
export function errorSentence ({ message, cure }: TunnelError, cures: Cures = {}): string {
  const option = cure === null ? undefined : cures[cure]
  return option === undefined ? message : `${message} (${option})`
}

export function reportError (name: string, error: unknown, cures?: Cures): void {
  if (error instanceof TunnelError) console.error(`${name}: ${errorSentence(error, cures)} (${error.code})`)
  else console.error(`${name}: this is a bug:`, error)
}
