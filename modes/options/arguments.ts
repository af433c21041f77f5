import { closest, distance } from 'fastest-levenshtein'
import type { Flag } from './flags.js'

type Flags = Readonly<Record<string, Pick<Flag, 'short' | 'isSwitch'>>>

/**
 * Arguments as people type them, in the one form that yargs cannot misread: `--name=value`. The rules are those of
 * getopt_long: `-z10s`, `-z 10s`, `--duration 10s`, several switches behind one dash, values that begin with a dash.
 * yargs takes `-z10s` for four switches, and nothing with a dash for a value. `fail` makes an error of a problem.
 */
export function normalizeArguments (
  typed: readonly string[],
  flags: Flags,
  fail: (problem: string) => Error
): string[] {
  const names = Object.keys(flags)
  const rest = [...typed]
  const plain: string[] = []

  const isOption = (arg: string): boolean => arg.startsWith('--')
    ? names.includes(arg.slice(2).split('=')[0]!)
    : /^-.$/.test(arg) && names.some((name) => flags[name]!.short === arg[1])

  const push = (name: string, glued: string | undefined): void => {
    if (flags[name]!.isSwitch === true) {
      if (glued !== undefined) throw fail(`--${name} is a switch and takes no value`)
      plain.push(`--${name}`)
      return
    }
    const value = glued ?? rest.shift()
    if (value === undefined) throw fail(`--${name} needs a value`)
    if (glued === undefined && isOption(value)) {
      const ifMeant = `if it is meant as the value, write --${name}=${value}`
      throw fail(`--${name} needs a value, and ${value} is an option; ${ifMeant}`)
    }
    plain.push(`--${name}=${value}`)
  }

  const readLetters = (letters: string): void => {
    for (let at = 0; at < letters.length; at++) {
      const name = names.find((one) => flags[one]!.short === letters[at])
      if (name === undefined) throw fail(`there is no option -${letters[at]}`)
      const glued = letters.slice(at + 1)
      if (flags[name]!.isSwitch === true && !glued.startsWith('=')) {
        push(name, undefined)
        continue
      }
      push(name, glued === '' ? undefined : glued.replace(/^=/, ''))
      return
    }
  }

  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    if (arg === '--') {
      const dashed = rest.find((one) => one.startsWith('-') && one !== '-')
      if (dashed !== undefined) {
        throw fail(`"${dashed}" would be an option: write ./${dashed} for a file or folder of that name`)
      }
      return [...plain, ...rest]
    }
    if (!arg.startsWith('-') || arg === '-') {
      plain.push(arg)
      continue
    }
    const [, name, value] = /^--?([^=]*)(?:=(.*))?$/s.exec(arg)!
    const isKnown = names.includes(name!)
    if (arg.startsWith('--')) {
      if (!isKnown) throw fail(`there is no option --${name}${hint(name!, flags)}`)
      push(name!, value)
    } else {
      // Nobody means the letters of a word that is an option.
      if (isKnown) throw fail(`there is no option -${name}: write --${name}, with two dashes`)
      readLetters(arg.slice(1))
    }
  }
  return plain
}

function hint (name: string, flags: Flags): string {
  const negated = /^no-(.+)$/.exec(name)?.[1]
  if (negated !== undefined && flags[negated]?.isSwitch === true) {
    return `: --${negated} is a switch, and off unless it is given`
  }
  return suggestion(name, Object.keys(flags), '--')
}

/** `, but there is …`, where one of `known` is near what was typed. */
export function suggestion (typed: string, known: readonly string[], prefix = ''): string {
  const letters = (word: string): string => [...word].sort().join('')
  const isNear = (one: string): boolean =>
    letters(one) === letters(typed) || distance(typed, one) <= Math.max(1, typed.length / 4)
  const begun = typed.length < 3 ? [] : known.filter((one) => one.startsWith(typed))
  const near = begun.length > 0 || known.length === 0 ? begun : [closest(typed, known)].filter(isNear)
  return near.length === 0 ? '' : `, but there is ${near.map((one) => prefix + one).join(' or ')}`
}
