import { runEngineSuite } from '../testing/engine-suite.js'
import { createEpollEngine } from './epoll-engine.js'

runEngineSuite('epoll', createEpollEngine)
