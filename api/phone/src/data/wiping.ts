// Clearing the phone: no more lies on it than a member needs, and nothing goes that only the phone has.

import { database, type Store } from './database'

const ALL: Store[] = ['day', 'forms', 'notices', 'drafts', 'photos', 'outbox']
const LOOKED_UP: Store[] = ['day', 'forms', 'notices']

let cleared = 0

/** How often the phone was cleared since the app began. */
export function times(): number {
  return cleared
}

/** Whether a visit is being written, or has not wholly reached the server. */
export async function somethingWaits(): Promise<boolean> {
  const opened = await database()
  if ((await opened.count('drafts')) > 0) return true
  return (await opened.count('outbox')) > (await opened.countFromIndex('outbox', 'state', 'done'))
}

/** Everything about doors and people. Settings stay: they tell nothing. */
export async function everything(): Promise<void> {
  await clear(ALL)
}

/** What can be asked for again, and the lines of visits that are done. */
export async function whatTheServerHas(): Promise<void> {
  await clear(LOOKED_UP)
  const opened = await database()
  for (const key of await opened.getAllKeysFromIndex('outbox', 'state', 'done')) await opened.delete('outbox', key)
}

async function clear(stores: Store[]): Promise<void> {
  cleared += 1
  const transaction = (await database()).transaction(stores, 'readwrite')
  await Promise.all(stores.map((store) => transaction.objectStore(store).clear()))
  await transaction.done
  window.dispatchEvent(new Event('zoufang-wiped'))
}
