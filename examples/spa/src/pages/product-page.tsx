import { useParams } from 'react-router'
import { PRODUCTS } from '../products.ts'
import { tracker } from '../tracker.ts'
import { NotFound } from './not-found.tsx'

/** Both ways to report a click: attributes in the markup, and a call where a value has to be computed. */
export function ProductPage() {
  const { sku } = useParams()
  const product = PRODUCTS.find(known => known.sku === sku)
  if (product === undefined) return <NotFound />
  return (
    <>
      <title>{product.name}</title>
      <h1>{product.name}</h1>
      <p>{product.price.toLocaleString('ko-KR')} ₩</p>
      <button type="button" data-hw-event="shop" data-hw-action="remember" data-hw-name={product.sku}>
        Remember
      </button>{' '}
      <button type="button" onClick={() => tracker.event('shop', 'buy', product.sku, { value: product.price })}>
        Buy
      </button>
    </>
  )
}
