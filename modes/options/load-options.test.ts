import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { tcpAddress, unixAddress } from '../../src/base/address.js'
import { ErrorCode } from '../../src/base/errors.js'
import type { Given } from './flags.js'
import { parseUrl, resolveLoadOptions, type LoadOptions } from './load-options.js'
import { temporaryFolder } from '../testing/temporary.js'

const resolve = (
  given: Given = {},
  headers: readonly string[] = [],
  url = 'http://127.0.0.1:8080/a?b=c'
): LoadOptions => resolveLoadOptions(url, given, { header: headers })

test('resolveLoadOptions() without options is 200 requests on 50 connections', (t) => {
  t.deepEqual(resolve(), {
    job: {
      target: tcpAddress('127.0.0.1', 8080),
      path: '/a?b=c',
      method: 'GET',
      host: '127.0.0.1:8080',
      headers: [],
      expect: { kind: 'response', status: null, sha256: null },
      pace: { kind: 'closed' },
      concurrency: 50,
      warmupMs: 0,
      durationMs: 2_147_483_647,
      requests: 200,
      requestTimeoutMs: 30_000,
      connectTimeoutMs: 5_000,
      threads: 1,
      stalledReaders: 0,
      stalledPath: '/'
    },
    engine: 'auto',
    format: 'text',
    output: null,
    showsProgress: true
  })
})

test('resolveLoadOptions() writes a method that servers know in capitals, and leaves others alone', (t) => {
  const sent = ['get', 'Post', 'PATCH', 'm-search', 'hello'].map((method) => resolve({ method }).job.method)
  t.deepEqual(sent, ['GET', 'POST', 'PATCH', 'M-SEARCH', 'hello'])
})

test('resolveLoadOptions() takes everything', (t) => {
  const { job, ...rest } = resolve(
    {
      requests: '7',
      connections: '3',
      duration: '2s',
      rate: '1.5',
      arrivals: 'poisson',
      seed: '9',
      'max-connections': '8',
      method: 'POST',
      accept: 'text/html',
      'content-type': 'text/plain',
      host: 'h',
      data: 'body',
      timeout: '0s',
      'expect-status': '201',
      'expect-sha256': 'AB'.repeat(32),
      warmup: '1s',
      threads: '2',
      'unix-socket': '/tmp/x.sock',
      engine: 'node',
      json: true,
      output: 'file',
      'no-tui': true,
      'latency-correction': true
    },
    ['X-A: b: c ', 'X-A:', 'x:y']
  )
  t.like(job, {
    target: unixAddress('/tmp/x.sock'),
    host: 'h',
    method: 'POST',
    concurrency: 3,
    warmupMs: 1_000,
    durationMs: 2_000,
    requestTimeoutMs: Infinity,
    threads: 2,
    pace: { kind: 'open', ratePerSec: 1.5, arrivals: 'poisson', seed: 9, maxConnections: 8 },
    expect: { kind: 'response', status: 201, sha256: 'ab'.repeat(32) }
  })
  t.deepEqual(job.headers, [
    ['X-A', 'b: c'],
    ['X-A', ''],
    ['x', 'y'],
    ['Accept', 'text/html'],
    ['Content-Type', 'text/plain']
  ])
  t.is(Buffer.from(job.body!).toString(), 'body')
  t.is(job.requests, undefined, 'a duration makes the number be ignored')
  t.deepEqual(rest, { engine: 'node', format: 'json', output: 'file', showsProgress: false })
})

test('resolveLoadOptions() reads a body file, and opens no connection that no request is for', (t) => {
  const file = join(temporaryFolder(t), 'body')
  writeFileSync(file, Buffer.from([0, 255, 10]))
  const { job } = resolve({ 'body-file': file, requests: '3' })
  t.deepEqual([...job.body!], [0, 255, 10])
  t.is(job.concurrency, 3)
})

test('parseUrl() knows names, IPv6, ports, and what does not leave the browser', (t) => {
  t.deepEqual(parseUrl('http://localhost'), { target: tcpAddress('localhost', 80), path: '/', host: 'localhost' })
  t.deepEqual(parseUrl('http://[::1]:81/x#y'), { target: tcpAddress('::1', 81), path: '/x', host: '[::1]:81' })
  t.deepEqual(parseUrl('http://example.com/a b?\u00fc'), {
    target: tcpAddress('example.com', 80),
    path: '/a%20b?%C3%BC',
    host: 'example.com'
  })
})

const REFUSED: Array<[title: string, given: Given, headers?: string[], url?: string]> = [
  ['https', {}, [], 'https://127.0.0.1/'],
  ['no scheme', {}, [], '127.0.0.1:80/'],
  ['another scheme', {}, [], 'ftp://127.0.0.1/'],
  ['credentials in the URL', {}, [], 'http://a:b@127.0.0.1/'],
  ['no URL', {}, [], ''],
  ['0 requests', { requests: '0' }],
  ['0 connections', { connections: '0' }],
  ['a duration without a unit', { duration: '10' }],
  ['rate 0', { rate: '0' }],
  ['a negative rate', { rate: '-1' }],
  ['a rate that is no number', { rate: '1e3' }],
  ['a rate beyond the limit', { rate: '1000001' }],
  ['unknown arrivals', { rate: '1', arrivals: 'even' }],
  ['arrivals without a rate', { arrivals: 'poisson' }],
  ['a seed without a rate', { seed: '1' }],
  ['max-connections without a rate', { 'max-connections': '60' }],
  ['max-connections below connections', { rate: '1', 'max-connections': '49' }],
  ['a warm-up with a number of requests', { warmup: '1s' }],
  ['two bodies', { data: 'a', 'body-file': '/dev/null' }],
  ['a body file that is not there', { 'body-file': '/no/such/file' }],
  ['status 199', { 'expect-status': '199' }],
  ['status 1000', { 'expect-status': '1000' }],
  ['a short hash', { 'expect-sha256': 'ab' }],
  ['a header without a colon', {}, ['X']],
  ['a header with a line end', {}, ['X: a\r\nY: b']],
  ['a method with a space', { method: 'GET x' }],
  ['an unknown format', { 'output-format': 'csv' }],
  ['65 threads', { threads: '65' }]
]

for (const [title, given, headers, url] of REFUSED) {
  test(`resolveLoadOptions() refuses ${title}, with value and rule`, (t) => {
    t.throws(() => resolve(given, headers, url), { code: ErrorCode.USAGE, message: /^Cannot .+: .+/ })
  })
}
