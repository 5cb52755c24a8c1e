/** One entry of `_paq`: a method and its arguments, or a function that is called with the methods as `this`. */
export type PaqCall = readonly [method: string | ((this: PaqMethods) => void), ...args: unknown[]]

/** Matomo's methods by name, as far as they are supported. What they take comes from the page: anything. */
// biome-ignore lint/suspicious/noExplicitAny: the boundary to a page's own script
export type PaqMethods = Record<string, (...args: any[]) => unknown>
