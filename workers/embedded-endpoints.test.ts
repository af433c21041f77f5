// The suite that both other origins pass, against the one inside a plugin. The order matters: the first import says
// what the second one tests.
import './testing/embedded-servers.js'
import '../src/origin/endpoints.test.js'
