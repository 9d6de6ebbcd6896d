// Which browser this is, where it matters.

/** WeChat's own browser keeps no service worker, and clears what is kept. */
export function inWeChat(): boolean {
  return /MicroMessenger/i.test(navigator.userAgent)
}

/** Opened by its icon, not as a page. */
export function installed(): boolean {
  return window.matchMedia('(display-mode: standalone)').matches || 'standalone' in navigator
}
