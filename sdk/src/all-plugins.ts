import type { Plugin, PluginSet, Watch } from './plugin.ts'

/** Several plugins as one. One that fails does not keep the others from working. */
export function allPlugins(plugins: readonly Plugin[]): PluginSet {
  const watches: Watch[] = []
  return {
    start(tracker, host) {
      for (const plugin of plugins)
        host.safely(() => {
          watches.push(host.safely(plugin(tracker, host)))
        })()
    },
    watch(moment, params) {
      for (const watch of watches) watch(moment, params)
    },
  }
}
