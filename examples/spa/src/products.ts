export interface Product {
  sku: string
  name: string
  /** Won. */
  price: number
}

export const PRODUCTS: readonly Product[] = [
  { sku: 'kettle', name: 'Kettle', price: 39_000 },
  { sku: 'lamp', name: 'Lamp', price: 25_000 },
  { sku: 'teapot', name: '찻주전자', price: 52_000 },
]
