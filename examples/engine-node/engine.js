#!/usr/bin/env node
// engine-node, a workflow engine for the event gateway.
import { serve } from './gateway/engine.js' // first: what others print goes to the log
import * as workflows from './workflows.js'

serve({ name: 'engine-node', version: '0.1.0', workflows })
