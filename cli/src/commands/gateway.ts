import { startGateway } from '@headwater/gateway'
import { dataFolder, makeFolders } from '../data-folder.ts'
import { lockFolder } from '../folder-lock.ts'
import { gatewayOptions } from '../gateway-options.ts'
import type { LoadedConfig } from '../load-config.ts'
import { clearPorts, writePorts } from '../ports-file.ts'
import { processLog } from '../process-log.ts'
import { processRegistry } from '../process-registry.ts'
import { runUntilSignal } from '../run-until-signal.ts'

/** `headwater gateway`: beacons in, access log out, and nothing else; a shipper takes the log to Kafka. */
export async function gateway({ config }: LoadedConfig): Promise<void> {
  const log = processLog(config.log.level)
  const folder = dataFolder(config.dataDir)
  makeFolders(folder)
  const unlock = lockFolder(folder.state)
  clearPorts(folder.ports)
  const registry = processRegistry()
  const running = await startGateway(gatewayOptions(config, folder.accessLog), { log, registry })
  const ports = { gateway: running.port, metrics: running.health?.port ?? 0 }
  writePorts(folder.ports, ports)
  log.info({ ...ports, accessLog: folder.accessLog, front: running.front }, 'The gateway takes beacons')
  await runUntilSignal(
    {
      failure: new Promise(() => {}), // it has no part that could end by itself
      async stop() {
        await running.close(config.drainMs)
        clearPorts(folder.ports)
        unlock()
      },
    },
    config.drainMs,
    log,
  )
}
