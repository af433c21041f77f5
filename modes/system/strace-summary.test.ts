import test from 'ava'
import { parseStraceSummary } from './strace-summary.js'

const ATTACHED = `strace: Process 5826 attached with 7 threads
strace: Process 5826 detached
strace: Process 5828 detached
`

/** As strace 6.1 prints it. */
const TABLE = `% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 87.80    1.234669        7393       167         5 futex
  6.47    0.090989           6     14142           write
  2.97    0.041765           2     14142           read
  2.73    0.038434           2     14126           epoll_pwait
  0.02    0.000292          18        16           getpid
------ ----------- ----------- --------- --------- ----------------
100.00    1.406149          33     42593         5 total
`

test('parseStraceSummary() counts calls by name, failed ones included, whatever else is printed', t => {
  t.deepEqual(parseStraceSummary(ATTACHED + TABLE), {
    futex: 167,
    write: 14_142,
    read: 14_142,
    epoll_pwait: 14_126,
    getpid: 16
  })
})

test('parseStraceSummary() reads a table of before there was a total of usecs/call', t => {
  const old = TABLE.replace('100.00    1.406149          33     42593', '100.00    1.406149                 42593')
  t.deepEqual(parseStraceSummary(old)?.write, 14_142)
})

test('parseStraceSummary() finds nothing where nothing was called', t => {
  t.deepEqual(parseStraceSummary(ATTACHED), {})
})

test('parseStraceSummary() does not take a table that is cut off, or does not add up', t => {
  t.is(parseStraceSummary(TABLE.slice(0, 300)), null)
  t.is(parseStraceSummary(TABLE.replace('14142           write', '14143           write')), null)
})
