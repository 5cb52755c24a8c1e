/** How much of the document has come into view, in per cent of its height; 100 when all of it fits. */
export function scrollDepth(): number {
  const { scrollHeight } = document.documentElement
  return scrollHeight > innerHeight ? Math.round(((scrollY + innerHeight) / scrollHeight) * 100) : 100
}
