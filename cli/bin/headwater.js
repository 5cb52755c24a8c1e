#!/usr/bin/env node
// npm links commands before anything is built, and only files that are there: so this one is not.
import '../dist/main.js'
