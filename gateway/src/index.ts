export {
  type Accepted,
  type AcceptOptions,
  acceptBeacon,
  type BeaconLine,
  type BeaconRequest,
} from './accept-beacon.ts'
export type { Answer } from './answer.ts'
export { type Certificate, readCertificate } from './certificate.ts'
export { anonymisedAddress, clientAddress, type TrustedProxies, trustedProxies } from './client-address.ts'
export { checkedRules, type Gateway, type GatewayDependencies, startGateway } from './gateway.ts'
export { GatewayError, type GatewayErrorCode } from './gateway-error.ts'
export {
  type Health,
  type HealthAnswer,
  type HealthOptions,
  type HealthRoute,
  type ReadyCheck,
  startHealth,
} from './health.ts'
export { loadUws } from './load-uws.ts'
export { type Observed, registerGatewayMetrics } from './metrics.ts'
export {
  type Durability,
  type FrontEnd,
  type GatewayOptions,
  type GatewaySettings,
  gatewayOptions,
  type IdentityOptions,
  type IpMode,
  type LimitOptions,
  type LogOptions,
  type SiteRule,
  type TlsOptions,
} from './options.ts'
export { readSdkFiles, type SdkFiles } from './sdk-files.ts'
