const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

const two = (value: number): string => (value < 10 ? `0${value}` : `${value}`)

/** NGINX's `$time_local`, `22/Nov/2026:10:27:04 +0000`, in the zone of this process. */
export function timeLocal(unixMs: number): string {
  const date = new Date(unixMs)
  const offset = -date.getTimezoneOffset()
  const minutes = Math.abs(offset)
  const day = `${two(date.getDate())}/${MONTHS[date.getMonth()]}/${date.getFullYear()}`
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
  return `${day}:${clock} ${offset < 0 ? '-' : '+'}${two(Math.floor(minutes / 60))}${two(minutes % 60)}`
}

/** NGINX's `$msec`: Unix seconds with three digits behind the point. */
export function msec(unixMs: number): string {
  const ms = unixMs % 1000
  return `${(unixMs - ms) / 1000}.${ms < 10 ? '00' : ms < 100 ? '0' : ''}${ms}`
}
