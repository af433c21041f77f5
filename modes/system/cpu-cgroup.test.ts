import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { CpuCgroup, throttlingSince } from './cpu-cgroup.js'
import { temporaryFolder } from '../testing/temporary.js'

function systemWith (t: ExecutionContext, files: Readonly<Record<string, string>>): CpuCgroup {
  const root = temporaryFolder(t)
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  return new CpuCgroup(root)
}

const V2_MOUNT = '30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n'
const V1_MOUNTS =
  '31 30 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n32 31 0:29 / /sys/fs/cgroup/cpuset rw - cgroup cgroup ' +
  'rw,cpuset\n'

test('CpuCgroup takes the smallest quota of nested groups of version 2, and adds up where they were throttled', (t) => {
  const cgroup = systemWith(t, {
    'proc/self/cgroup': '0::/user.slice/run.scope\n',
    'proc/self/mountinfo': V2_MOUNT,
    'sys/fs/cgroup/cpu.stat': 'usage_usec 1\n',
    'sys/fs/cgroup/user.slice/cpu.max': '150000 100000\n',
    'sys/fs/cgroup/user.slice/cpu.stat': 'usage_usec 5\nnr_periods 9\nnr_throttled 4\nthrottled_usec 5000\n',
    'sys/fs/cgroup/user.slice/run.scope/cpu.max': 'max 100000\n',
    'sys/fs/cgroup/user.slice/run.scope/cpu.stat': 'nr_periods 0\nnr_throttled 1\nthrottled_usec 20\n'
  })
  t.is(cgroup.quota(), 1.5)
  t.deepEqual(cgroup.throttling(), { count: 5, us: 5020 })
})

test('CpuCgroup finds a container\'s own group at the mount point', (t) => {
  for (const [path, mountRoot] of [
    ['/docker/abc', '/docker/abc'],
    ['/', '/'],
    ['/../outside', '/'],
    ['/docker/abc', '/elsewhere']
  ]) {
    const cgroup = systemWith(t, {
      'proc/self/cgroup': `0::${path}\n`,
      'proc/self/mountinfo': V2_MOUNT.replace('0:26 /', `0:26 ${mountRoot}`),
      'sys/fs/cgroup/cpu.max': '50000 100000\n'
    })
    t.is(cgroup.quota(), 0.5, `${path} in ${mountRoot}`)
    t.is(cgroup.throttling(), null)
  }
})

test('CpuCgroup reads version 1, whose times are nanoseconds, and mounts with a space in their name', (t) => {
  const cgroup = systemWith(t, {
    'proc/self/cgroup': '3:cpuset:/other\n2:cpu,cpuacct:/a/b\n0::/\n',
    'proc/self/mountinfo': `${V1_MOUNTS}33 31 0:30 / /sys/fs/my\\040cgroup rw - cgroup cgroup rw,cpu,cpuacct\n`,
    'sys/fs/my cgroup/cpu.cfs_quota_us': '-1\n',
    'sys/fs/my cgroup/cpu.cfs_period_us': '100000\n',
    'sys/fs/my cgroup/a/cpu.cfs_quota_us': '200000\n',
    'sys/fs/my cgroup/a/cpu.cfs_period_us': '100000\n',
    'sys/fs/my cgroup/a/b/cpu.cfs_quota_us': '400000\n',
    'sys/fs/my cgroup/a/b/cpu.cfs_period_us': '100000\n',
    'sys/fs/my cgroup/a/cpu.stat': 'nr_periods 5\nnr_throttled 2\nthrottled_time 3000000\n'
  })
  t.is(cgroup.quota(), 2)
  t.deepEqual(cgroup.throttling(), { count: 2, us: 3000 })
})

test('CpuCgroup knows of no quota where there are no groups', (t) => {
  const cgroup = systemWith(t, {})
  t.deepEqual([cgroup.quota(), cgroup.throttling()], [null, null])
  t.deepEqual(throttlingSince({ count: 3, us: 9 }, { count: 1, us: 4 }), { count: 2, us: 5 })
  t.is(throttlingSince(null, { count: 1, us: 4 }), null)
})
