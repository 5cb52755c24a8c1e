/** Limits of the wire, shared by the edge and the parser. Bytes unless the name says otherwise. */
export const MAX_URL_BYTES = 16 * 1024
export const MAX_BODY_BYTES = 64 * 1024
export const MAX_BULK_EVENTS = 500
/** A longer value is cut at a UTF-8 boundary. */
export const MAX_VALUE_BYTES = 8 * 1024
/** Parameters after this many are dropped. */
export const MAX_PARAMS = 200
export const MAX_LINE_BYTES = 1024 * 1024
export const MAX_DEAD_LETTER_BYTES = 8 * 1024
/** A longer event id is hashed. */
export const MAX_EVENT_ID_BYTES = 64
