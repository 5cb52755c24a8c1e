import { Link, useSearchParams } from 'react-router'
import { PRODUCTS } from '../products.ts'

export function Catalogue() {
  const [query, setQuery] = useSearchParams()
  const byPrice = query.get('sort') === 'price'
  const products = byPrice ? PRODUCTS.toSorted((a, b) => a.price - b.price) : PRODUCTS
  return (
    <>
      <title>Catalogue</title>
      <h1>Catalogue</h1>
      <button type="button" className="sort" onClick={() => setQuery(byPrice ? {} : { sort: 'price' })}>
        {byPrice ? 'As we like it' : 'Cheapest first'}
      </button>
      <ul>
        {products.map(({ sku, name }) => (
          <li key={sku}>
            <Link to={`/products/${sku}`}>{name}</Link>
          </li>
        ))}
      </ul>
      <p>
        <Link to="/lamp">Last year’s lamp</Link>
      </p>
    </>
  )
}
