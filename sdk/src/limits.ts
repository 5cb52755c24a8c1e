/** A query up to this long stands in the URL, where every web server logs it; a longer one goes into the body. */
export const MAX_URL_QUERY_CHARS = 2_000
/** The edge refuses URLs over 16 KiB and cuts values over 8 KiB: an event stays below both. */
export const MAX_EVENT_CHARS = 15_000
export const MAX_VALUE_CHARS = 8_192
/** Body of one bulk request. Percent-encoded, so a character is a byte. */
export const MAX_BATCH_CHARS = 48 * 1024
/** Keepalive bodies in flight. Browsers refuse more than 64 KiB a page, shared with `sendBeacon` and other scripts. */
export const MAX_IN_FLIGHT_CHARS = 60 * 1024
/** Events waiting in memory; beyond it the oldest go, pings first. */
export const MAX_WAITING = 500
/** Events held in memory until consent is given; after it, how many of one task wait for its end. */
export const MAX_HELD = 50
/** This many wait for company; the next one sends them. */
export const MAX_WAITING_VISIBLE = 20
/** Events kept in localStorage, their size and their age. */
export const MAX_STORED = 200
export const MAX_STORED_CHARS = 256 * 1024
export const MAX_STORED_MS = 24 * 3_600_000
/** Events are sent together after this silence, at the latest after `MAX_WAIT_MS`. */
export const IDLE_MS = 300
export const MAX_WAIT_MS = 2_500
/**
 * What is not acknowledged is left with the browser at most this often, and at most this long after it changed: so much a
 * crash of the page may lose. After a silence a few changes go at once, as if `LEAVE_BURST_MS` had been saved up.
 */
export const LEAVE_MS = 50
export const LEAVE_BURST_MS = 200
/** The longest pause between two attempts, unless the collector asks for a longer one; that one at most for a day. */
export const MAX_BACKOFF_MS = 300_000
export const MAX_PAUSE_MS = 86_400_000
/** After this many attempts in a row without any answer the page gives up: a blocker, or no network. */
export const MAX_NETWORK_FAILURES = 3
