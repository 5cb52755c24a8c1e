import { defineConfig } from 'vitest/config'

// Tests import the workspaces' sources (condition "source"), so no test ever sees a stale build. e2e tests start the
// built command: `npm test` builds first.
export default defineConfig({
  resolve: { conditions: ['source'] },
  ssr: { resolve: { conditions: ['source'] } },
  test: {
    globalSetup: './vitest.temporary-folder.ts',
    include: ['*/test/**/*.test.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Its default is a second, which a busy machine may take for anything.
    expect: { poll: { timeout: 10_000 } },
  },
})
