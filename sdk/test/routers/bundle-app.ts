import { fileURLToPath } from 'node:url'
import { build, type Rolldown } from 'vite'

/** A small application with a real router, as a script: `window.push` and `window.replace` navigate. */
export async function bundleApp(router: 'vue' | 'react'): Promise<string> {
  const entry = fileURLToPath(new URL(`${router}-app.js`, import.meta.url))
  const built = await build({
    configFile: false,
    logLevel: 'error',
    // Vitest's own NODE_ENV=test would give development builds.
    define: { 'process.env.NODE_ENV': '"production"' },
    build: { write: false, lib: { entry, name: 'app', formats: ['iife'] } },
  })
  return (built as Rolldown.RolldownOutput[])[0]!.output[0].code
}
