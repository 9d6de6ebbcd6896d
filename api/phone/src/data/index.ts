// What the screens know of the data: everything else in this folder is its own affair.

import * as day from './day'
import { watchNetwork } from './net'
import * as notices from './notices'
import * as outbox from './outbox'
import * as session from './session'
import * as storage from './storage'
import * as sync from './sync'

export * from './contract'
export type { Draft, KeptPhoto, OutboxItem, OutboxState } from './database'
export { newId } from './ids'

// what is told to a screen as it changes
export { net } from './net'
export { day, door, refresh as refreshDay } from './day'
export { notices, refresh as refreshNotices } from './notices'
export { session, signIn, signOut, askAsMember, OfAnother } from './session'
export { storage, askToPersist, look as lookAtStorage } from './storage'
export { sync, send } from './sync'
export { Failed } from './requests'

// what a screen does
export * as drafts from './drafts'
export * as outbox from './outbox'
export * as photos from './photos'
export * as questionnaires from './questionnaires'

/** Read what is kept, and begin to speak with the server. Screens may be shown as soon as this has resolved. */
export async function start(): Promise<void> {
  await session.load()
  await Promise.all([day.load(), outbox.load(), notices.load()])
  watchNetwork()
  sync.begin()
  void refresh()
}

/** Ask for everything anew. */
export async function refresh(): Promise<void> {
  await Promise.all([day.refresh(), notices.refresh(), storage.look()])
}
