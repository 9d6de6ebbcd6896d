// Whether there is a network, as far as can be told: the browser's word, mended by what became of the last request.

import { reactive } from 'vue'

export const net = reactive({
  online: navigator.onLine,
  /** The last request reached the server. Unknown until one was made. */
  reached: null as boolean | null,
  /** Without TLS a phone has no service worker, no camera, no position and no hash of a photo. */
  secure: window.isSecureContext,
})

/** Called again whenever there may be a network: it came back, or somebody looks at the app again. */
const hopes = new Set<() => void>()

export function whenReachable(act: () => void): void {
  hopes.add(act)
}

function hope(): void {
  for (const act of hopes) act()
}

export function watchNetwork(): void {
  window.addEventListener('online', () => {
    net.online = true
    hope()
  })
  window.addEventListener('offline', () => {
    net.online = false
  })
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible' && navigator.onLine) hope()
  })
}
