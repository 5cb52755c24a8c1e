export interface UserAgent {
  browser: string
  os: string
  device: 'desktop' | 'mobile' | 'tablet' | 'other'
  bot: boolean
}
export function parseUserAgent(_userAgent: string): UserAgent {
  throw new Error('to come')
}
