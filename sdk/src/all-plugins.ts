import type { Plugin } from './plugin.ts'

/** Several plugins as one. One that fails does not keep the others from working. */
export function allPlugins(plugins: readonly Plugin[]): Plugin {
  return (tracker, host) => {
    const watches: ReturnType<Plugin>[] = []
    for (const plugin of plugins)
      host.safely(() => {
        watches.push(host.safely(plugin(tracker, host)))
      })()
    return (moment, params) => {
      for (const watch of watches) watch(moment, params)
    }
  }
}
