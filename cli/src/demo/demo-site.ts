import { type DemoRandom, weighted } from './demo-random.ts'

/** A page of the simulated shop; addresses and titles as they stand in a query, percent-encoded. */
export interface DemoPage {
  kind: 'home' | 'category' | 'product' | 'article' | 'search' | 'cart' | 'checkout' | 'thanks'
  /** Without the site: `/products/17`. */
  path: string
  encodedUrl: string
  encodedTitle: string
  /** Of a product, in won. */
  price: number
}

/** The host whose pages the visitors see. */
export const DEMO_ORIGIN = 'https://shop.example'

const PRODUCTS = 200
const ARTICLES = 40
const CATEGORIES = ['shoes', 'bags', 'coats', 'books', '전자제품', '식품']
const SEARCHES = ['red shoes', '겨울 코트', 'bag', '선물', 'usb-c cable', '책']

const page = (kind: DemoPage['kind'], path: string, title: string, price = 0): DemoPage => ({
  kind,
  path,
  encodedUrl: encodeURIComponent(encodeURI(DEMO_ORIGIN + path)),
  encodedTitle: encodeURIComponent(`${title} – Shop`),
  price,
})

export const HOME = page('home', '/', 'Home')
export const CART = page('cart', '/cart', 'Your cart')
export const CHECKOUT = page('checkout', '/checkout', 'Checkout')
export const THANKS = page('thanks', '/checkout/thanks', 'Thank you')
const categories = CATEGORIES.map(name => page('category', `/c/${name}`, name))
const products = Array.from({ length: PRODUCTS }, (_, i) =>
  page('product', `/products/${i + 1}`, `상품 ${i + 1}`, 1_000 * (5 + ((i * 37) % 120))),
)
const articles = Array.from({ length: ARTICLES }, (_, i) => page('article', `/blog/${i + 1}`, `Article ${i + 1}`))
const searches = SEARCHES.map(words => page('search', `/search?q=${words}`, `Search: ${words}`))

// Few pages are seen often and most seldom: the n-th has a share of 1/n (Zipf).
const zipf = (pages: readonly DemoPage[]) => weighted(pages.map((each, i) => [each, 1 / (i + 1)] as const))
const aCategory = zipf(categories)
const aProduct = zipf(products)
const anArticle = zipf(articles)
const aSearch = zipf(searches)

type Step = (random: DemoRandom) => DemoPage | undefined
const leave: Step = () => undefined

const entrance = weighted<Step>([
  [() => HOME, 40],
  [aProduct, 30],
  [anArticle, 20],
  [aCategory, 10],
])

/** Where visitors go from each kind of page; carts are filled by a click and not by a step. */
const onward: Readonly<Record<DemoPage['kind'], (random: DemoRandom) => Step>> = {
  home: weighted([
    [aCategory, 35],
    [aProduct, 22],
    [aSearch, 8],
    [anArticle, 7],
    [leave, 28],
  ]),
  category: weighted([
    [aProduct, 60],
    [aCategory, 14],
    [() => HOME, 6],
    [leave, 20],
  ]),
  product: weighted([
    [aProduct, 34],
    [aCategory, 20],
    [aSearch, 4],
    [() => HOME, 6],
    [leave, 36],
  ]),
  article: weighted([
    [anArticle, 20],
    [aProduct, 14],
    [() => HOME, 10],
    [leave, 56],
  ]),
  search: weighted([
    [aProduct, 62],
    [aSearch, 14],
    [leave, 24],
  ]),
  cart: weighted([
    [() => CHECKOUT, 48],
    [aProduct, 20],
    [leave, 32],
  ]),
  checkout: weighted([
    [() => THANKS, 66],
    [() => CART, 8],
    [leave, 26],
  ]),
  thanks: weighted([
    [() => HOME, 20],
    [leave, 80],
  ]),
}

export function entrancePage(random: DemoRandom): DemoPage {
  return entrance(random)(random) as DemoPage
}

/** The page after this one; `undefined`: the visitor leaves. */
export function nextPage(from: DemoPage, random: DemoRandom): DemoPage | undefined {
  return onward[from.kind](random)(random)
}

/** A crawler goes by links and never buys. */
export function crawledPage(random: DemoRandom): DemoPage {
  return random.chance(0.7) ? aProduct(random) : anArticle(random)
}
