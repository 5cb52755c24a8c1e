export interface PageKeyOptions {
  /** Query parameters that make another page: `['page', 'q']`. Default none. */
  query?: readonly string[]
  /** Whether the fragment makes another page, as in hash routers. Default false. */
  hash?: boolean
}

/** What two addresses of one page have in common: the path, and of the rest only what the options name. */
export function pageKey(url: string, { query = [], hash }: PageKeyOptions): string {
  const { pathname, searchParams, hash: fragment } = new URL(url)
  return `${[pathname, query.map(name => searchParams.getAll(name)), hash && fragment]}`
}
