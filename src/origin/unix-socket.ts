import { type Address, unixAddress } from '../base/address.js'
import { listenError } from '../engine/socket-errors.js'
import { placeSocket, removeSocket } from '../engine/socket-file.js'

/** A Unix socket that an origin's server listens on. */
export interface UnixSocket {
  readonly address: Address
  /** Removes its file. Before the server closes it: until then nothing else can get its inode. */
  remove (): void
}

/** Makes a Unix socket appear at `path` with mode 0600; `bind` listens where it is told. Rejects as `Engine.listen()` does. */
export async function listenOnUnix (path: string, bind: (path: string) => Promise<void>): Promise<UnixSocket> {
  const address = unixAddress(path)
  try {
    const identity = await placeSocket(path, bind)
    return { address, remove: () => { removeSocket(path, identity) } }
  } catch (error) {
    throw listenError(address, error)
  }
}
