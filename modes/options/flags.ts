/** What a command line is made of, before and after it is read. */

export interface Flag {
  /** For --help: meaning, unit, what 0 means. */
  readonly describe: string
  /**
   * Shown in --help; whoever reads the value fills it in. Absent: the flag has to be given. A switch is off by default.
   */
  readonly standard?: string
  readonly isSwitch?: boolean
  /** One letter for `-n`. */
  readonly short?: string
  /** May be given several times; all values count. */
  readonly isList?: boolean
}

/** What was typed: text of every flag and positional that was given, true for every switch, a list for `<name..>`. */
export type Given = Readonly<Record<string, string | true | readonly string[] | undefined>>

/** Every value of each flag that may be given several times; none: an empty array. */
export type GivenLists = Readonly<Record<string, readonly string[]>>
