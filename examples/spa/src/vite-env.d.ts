/// <reference types="vite/client" />

interface ImportMetaEnv {
  /** The collector's address; default this machine's. */
  readonly VITE_COLLECTOR?: string
  readonly VITE_SITE_ID?: string
}
