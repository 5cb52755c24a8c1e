import { createApp, h } from 'vue'
import { createRouter, createWebHistory, RouterLink, RouterView } from 'vue-router'

const Page = { render: () => h(RouterLink, { to: '/b' }, () => 'b') }
const router = createRouter({
  history: createWebHistory(),
  routes: [
    { path: '/from', redirect: '/to' },
    { path: '/:rest(.*)*', component: Page },
  ],
})
createApp({ render: () => h(RouterView) })
  .use(router)
  .mount('main')

window.push = path => router.push(path).then(() => 0)
window.replace = path => router.replace(path).then(() => 0)
