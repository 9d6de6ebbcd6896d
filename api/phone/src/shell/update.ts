// A newer version of the app waits until somebody lets it in: a form is never taken from under their fingers, and a
// draft lies in the database, which every version lifts to its own shape.

import { reactive } from 'vue'
import { drafts } from '../data'

const EVERY_MS = 60 * 60_000

export const update = reactive({
  ready: false,
  async now(): Promise<void> {
    await drafts.settled()
    const waiting = (await navigator.serviceWorker.getRegistration())?.waiting
    if (!waiting) return location.reload()
    navigator.serviceWorker.addEventListener('controllerchange', () => location.reload(), { once: true })
    waiting.postMessage({ type: 'SKIP_WAITING' })
  },
})

/** Let the service worker keep the app, and look for newer ones while it is open. */
export async function keepApp(): Promise<void> {
  if (!('serviceWorker' in navigator)) return
  const registration = await navigator.serviceWorker.register('/phone/sw.js', { scope: '/phone/' })
  const look = (): void => {
    // the first one is no update: nobody has been here before
    update.ready = Boolean(registration.waiting && navigator.serviceWorker.controller)
  }
  look()
  registration.addEventListener('updatefound', () => {
    registration.installing?.addEventListener('statechange', look)
  })
  setInterval(() => {
    if (navigator.onLine) registration.update().catch(() => undefined)
  }, EVERY_MS)
}
