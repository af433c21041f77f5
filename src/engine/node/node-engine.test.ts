import { runEngineSuite } from '../testing/engine-suite.js'
import { createNodeEngine } from './node-engine.js'

runEngineSuite('node', createNodeEngine)
