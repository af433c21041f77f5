// As embedded-endpoints.test.ts, for clients of every kind.
import './testing/embedded-servers.js'
import '../src/origin/any-client.test.js'
