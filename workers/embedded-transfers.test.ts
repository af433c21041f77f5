// As embedded-endpoints.test.ts, for what takes long.
import './testing/embedded-servers.js'
import '../src/origin/transfers.test.js'
