// The screens, behind #: the server knows one page, and the app is whole without it.

import { createRouter, createWebHashHistory } from 'vue-router'
import { session } from './data'
import { inWeChat } from './shell/browser'

export const router = createRouter({
  history: createWebHashHistory(),
  routes: [
    { path: '/', redirect: '/today' },
    { path: '/today', name: 'today', component: () => import('./today/Today.vue'), meta: { tab: 'today' } },
    { path: '/outbox', name: 'outbox', component: () => import('./shell/Outbox.vue'), meta: { tab: 'outbox' } },
    { path: '/me', name: 'me', component: () => import('./shell/Me.vue'), meta: { tab: 'me' } },
    { path: '/visit/:draft', name: 'visit', component: () => import('./visit/Visit.vue'), props: true },
    { path: '/services', name: 'services', component: () => import('./services/Services.vue') },
    { path: '/paper', name: 'paper', component: () => import('./desk/Paper.vue') },
    { path: '/sign-in', name: 'sign-in', component: () => import('./shell/SignIn.vue'), meta: { open: true } },
    { path: '/wechat', name: 'wechat', component: () => import('./shell/WeChat.vue'), meta: { open: true } },
    { path: '/:rest(.*)*', redirect: '/today' },
  ],
})

/** Who is not signed in may still see the outbox, where what waits belongs to somebody. */
router.beforeEach((to) => {
  if (inWeChat() && to.name !== 'wechat') return { name: 'wechat' }
  if (to.meta.open || session.signedIn) return true
  if (to.name === 'outbox' && session.member) return true
  return { name: 'sign-in' }
})

/** A newer version that another tab has let in takes the older one's screens along: the page begins anew there. What was
 *  being written lies in the database. */
router.onError((error: Error, to) => {
  if (!/dynamically imported module|module script/i.test(error.message) || !navigator.onLine) return
  location.hash = to.fullPath
  location.reload()
})
