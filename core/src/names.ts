/** Parameter names on the wire. Those without `hw_` are Matomo's, with Matomo's meaning; those with it are ours. */
export const EVENT_ID = 'hw_id'
export const PAGE_LOAD_ID = 'hw_pl'
export const SEQUENCE = 'hw_seq'
export const CLIENT_TIME = 'hw_ts'
export const ATTEMPT = 'hw_try'
export const SDK_VERSION = 'hw_v'
/** Set to 1 by the edge when a value or parameter was cut. */
export const CUT = 'hw_cut'
/** Set by the edge: the body that it could not read, where the log format has no field for it. See bad-body.ts. */
export const BAD_BODY = 'hw_body'
export const VISITOR_ID = '_id'
export const NEW_VISITOR = '_idn'
export const MEMBER_ID = 'memberId'
/** Matomo's user id: the member where `memberId` is missing. */
export const USER_ID = 'uid'
export const SITE_ID = 'idsite'
export const CATEGORY = 'e_c'
export const ACTION = 'e_a'
export const NAME = 'e_n'
export const VALUE = 'e_v'
/** Seconds between the event and the request that carries it. */
export const CLIENT_DELAY = 'cdo'
/** 1 when a program drives the browser (`navigator.webdriver`): flagged by the SDK, never dropped. */
export const BOT = 'hw_bot'
/** Milliseconds that the page was visible and focused since the last report; with `ping=1`. */
export const ENGAGED_MS = 'hw_eng'
