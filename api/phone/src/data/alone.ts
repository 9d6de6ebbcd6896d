// One tab at a time: by a lock of the browser, or by a lease in the database where it has none (Safari before 15.4).

import { database } from './database'
import { newId } from './ids'

const LEASE_MS = 15_000
const owner = newId()

/** Do something that no other tab does at the same time; false when one does, and nothing was done. */
export async function alone(name: string, work: () => Promise<void>): Promise<boolean> {
  if (!navigator.locks) return leased(name, work)
  return navigator.locks.request(name, { ifAvailable: true }, async (lock) => {
    if (lock) await work()
    return lock !== null
  })
}

export async function leased(name: string, work: () => Promise<void>): Promise<boolean> {
  if (!(await take(name))) return false
  const renewing = setInterval(() => void take(name), LEASE_MS / 3)
  try {
    await work()
  } finally {
    clearInterval(renewing)
    await give(name)
  }
  return true
}

async function take(name: string): Promise<boolean> {
  const transaction = (await database()).transaction('leases', 'readwrite')
  const held = await transaction.store.get(name)
  const free = !held || held.owner === owner || held.until < Date.now() || held.until > Date.now() + 10 * LEASE_MS
  if (free) await transaction.store.put({ owner, until: Date.now() + LEASE_MS }, name)
  await transaction.done
  return free
}

async function give(name: string): Promise<void> {
  const transaction = (await database()).transaction('leases', 'readwrite')
  if ((await transaction.store.get(name))?.owner === owner) await transaction.store.delete(name)
  await transaction.done
}
