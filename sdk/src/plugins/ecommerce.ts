import type { Tracker } from '../tracker.ts'

export interface ShopItem {
  sku: string
  name?: string
  category?: string | readonly string[]
  price?: number
  /** Default 1. */
  quantity?: number
}

export interface ShopOrder {
  id: string
  /** What the customer pays. */
  total: number
  /** Without shipping. */
  subtotal?: number
  tax?: number
  shipping?: number
  discount?: number
}

/** A shop's events in Matomo's parameters. The cart lives in memory: fill it again on each page that reports it. */
export interface Shop {
  /** A product was looked at: `ecommerce / view / <sku>`. */
  view(item: ShopItem): void
  /** Puts an item into the cart, in place of the same `sku`. Nothing is sent. */
  add(item: ShopItem): void
  remove(sku: string): void
  clear(): void
  /** Reports the cart as it is and its total. */
  cart(total: number): void
  /** Reports an order with the cart as its items, and empties the cart. */
  order(order: ShopOrder): void
}

/** Adds a shop to a tracker. The events go to the site; its scenarios judge them. */
export function ecommerce({ track }: Pick<Tracker, 'track'>): Shop {
  const items = new Map<string, unknown[]>()
  const report = (revenue: number, { id, subtotal, tax, shipping, discount }: Partial<ShopOrder>): void =>
    track({
      idgoal: 0,
      ec_id: id,
      revenue,
      ec_st: subtotal,
      ec_tx: tax,
      ec_sh: shipping,
      ec_dt: discount,
      ec_items: JSON.stringify([...items.values()]),
    })
  return {
    view({ sku, name, category, price }) {
      track({ e_c: 'ecommerce', e_a: 'view', e_n: sku, ca: 1, ...productParams(sku, name, category, price) })
    },
    add({ sku, name = '', category = '', price = 0, quantity = 1 }) {
      items.set(sku, [sku, name, category, price, quantity])
    },
    remove(sku) {
      items.delete(sku)
    },
    clear() {
      items.clear()
    },
    cart(total) {
      report(total, {})
    },
    order(order) {
      report(order.total, order)
      items.clear()
    },
  }
}

/** A product view in Matomo's parameters; several categories become a JSON array. */
export function productParams(
  sku?: string,
  name?: string,
  category: string | readonly string[] = '',
  price?: number,
): Record<'_pkc' | '_pkp' | '_pks' | '_pkn', string | number | undefined> {
  const _pkc = typeof category === 'string' ? category : JSON.stringify(category)
  return { _pkc, _pkp: price, _pks: sku, _pkn: name }
}
