/** What wrk sends in one measurement. */
export interface BeaconLoad {
  name: string
  /** Path and query. */
  target: string
  /** Lua for wrk; without it: GET. */
  script: string | undefined
  /** Lines that one request leaves in the gateway's log; NGINX writes one a request. */
  lines: number
}

/** With it the line of a GET is 320 bytes long, newline included. */
export const USER_AGENT = 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0'
const EVENT =
  'e_c=buttonClick&e_a=Clicked&e_n=buy&memberId=123456&h=10&_id=0dc813c4cde7f430&res=1280x720&hw_id=AAAAAAAAAAAAAAAAAAAAAA'

/** `GET`, `POST with body`, `POST bulk of 20`. */
export const BEACON_LOADS: readonly BeaconLoad[] = [
  { name: 'GET', target: `/5?${EVENT}`, script: undefined, lines: 1 },
  { name: 'POST with body', target: '/5?_id=0dc813c4cde7f430', script: post(EVENT), lines: 1 },
  {
    name: 'POST bulk of 20',
    target: '/matomo.php?_id=0dc813c4cde7f430',
    script: post(JSON.stringify({ requests: Array.from({ length: 20 }, (_, i) => `?idsite=1&${EVENT}&hw_seq=${i}`) })),
    lines: 20,
  },
]

function post(body: string): string {
  return `wrk.method = "POST"\nwrk.headers["Content-Type"] = "text/plain"\nwrk.body = [[${body}]]\n`
}
