import { StrictMode } from 'react'
import { flushSync } from 'react-dom'
import { createRoot } from 'react-dom/client'
import { BrowserRouter, Link, Navigate, Route, Routes } from 'react-router'
import { ConsentBanner } from './consent-banner.tsx'
import { Account } from './pages/account.tsx'
import { Catalogue } from './pages/catalogue.tsx'
import { NotFound } from './pages/not-found.tsx'
import { ProductPage } from './pages/product-page.tsx'
import { startTracking } from './tracker.ts'
import './shop.css'

function Shop() {
  return (
    <StrictMode>
      <BrowserRouter>
        <nav>
          <Link to="/">Catalogue</Link> <Link to="/account">Account</Link>
        </nav>
        <main>
          <Routes>
            <Route path="/" element={<Catalogue />} />
            <Route path="/products/:sku" element={<ProductPage />} />
            {/* An old address: the visitor sees one page, so one page view is counted. */}
            <Route path="/lamp" element={<Navigate to="/products/lamp" replace />} />
            <Route path="/account" element={<Account />} />
            <Route path="*" element={<NotFound />} />
          </Routes>
        </main>
        <ConsentBanner />
      </BrowserRouter>
    </StrictMode>
  )
}

const root = createRoot(document.getElementById('root') as HTMLElement)
flushSync(() => root.render(<Shop />))
startTracking()
