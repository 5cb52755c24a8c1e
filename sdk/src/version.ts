/** Version of this package, sent as `hw_v`; a test keeps it equal to package.json. */
export const VERSION = '0.1.0'
