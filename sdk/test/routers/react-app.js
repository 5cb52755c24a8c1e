import { createElement as h } from 'react'
import { createRoot } from 'react-dom/client'
import { createBrowserRouter, Link, redirect } from 'react-router'
import { RouterProvider } from 'react-router/dom'

const Page = () => h(Link, { to: '/b' }, 'b')
const router = createBrowserRouter([
  { path: '/from', loader: () => redirect('/to') },
  { path: '*', Component: Page },
])
createRoot(document.querySelector('main')).render(h(RouterProvider, { router }))

window.push = path => router.navigate(path).then(() => 0)
window.replace = path => router.navigate(path, { replace: true }).then(() => 0)
