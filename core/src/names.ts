/** Parameter names on the wire. Those without `hw_` are Matomo's, with Matomo's meaning; those with it are ours. */
export const EVENT_ID = 'hw_id'
export const PAGE_LOAD_ID = 'hw_pl'
export const SEQUENCE = 'hw_seq'
export const CLIENT_TIME = 'hw_ts'
export const ATTEMPT = 'hw_try'
export const SDK_VERSION = 'hw_v'
/** Set to 1 by the edge when a value or parameter was cut. */
export const CUT = 'hw_cut'
export const VISITOR_ID = '_id'
export const NEW_VISITOR = '_idn'
export const MEMBER_ID = 'memberId'
export const SITE_ID = 'idsite'
export const CATEGORY = 'e_c'
export const ACTION = 'e_a'
export const NAME = 'e_n'
export const VALUE = 'e_v'
/** Seconds between the event and the request that carries it. */
export const CLIENT_DELAY = 'cdo'
