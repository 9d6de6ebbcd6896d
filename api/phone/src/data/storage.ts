// How much room is left. A phone that is full says so while there is still room for the visit at hand.

import { reactive } from 'vue'

const LEAST_LEFT = 60 * 1024 * 1024 // a day's photos
const MOST_USED = 0.9

export const storage = reactive({
  used: 0,
  quota: 0,
  persistent: null as boolean | null,
  nearlyFull: false,
})

export async function look(): Promise<void> {
  if (!navigator.storage?.estimate) return
  const { usage = 0, quota = 0 } = await navigator.storage.estimate()
  storage.used = usage
  storage.quota = quota
  storage.nearlyFull = quota > 0 && (quota - usage < LEAST_LEFT || usage > quota * MOST_USED)
  storage.persistent = (await navigator.storage.persisted?.()) ?? null
}

/** Ask the browser not to clear what is kept when the phone is full. */
export async function askToPersist(): Promise<void> {
  if (navigator.storage?.persist && !(await navigator.storage.persisted())) await navigator.storage.persist()
  await look()
}
