// Everything that the phone keeps. Each change of shape is one more step below: steps that have been shipped are never
// edited, and a draft is lifted to the new shape, never dropped.

import { type DBSchema, type IDBPDatabase, openDB, type StoreNames } from 'idb'
import type { Day, Notice, Position, Problem, Receipt, VisitDraft } from './contract'

/** Who is signed in on this phone, and whose data it holds. */
export interface SignedIn {
  token: string | null // null: signed out, or no longer let in; what waits still belongs to the member
  device: string | null
  member: string
  name: string
  expires_at: string | null
}

/** A visit that is being written. `visit` is what will be sent, as far as it is known; `form` is the form's own. */
export interface Draft {
  id: string // of the visit
  member: string
  door: string | null // of the day's list; null: one that was found on the way
  visit: Partial<VisitDraft>
  form: Record<string, unknown>
  started_at: string
  changed_at: string
}

/** A photo, shrunk. It lies here until the server has it and has said so. */
export interface KeptPhoto {
  id: string
  draft: string // the visit's id
  sha256: string
  bytes: number
  blob: Blob
  taken_at: string
  position: Position | null
  upload: string | null // its address at the server, once begun
  sent: boolean
}

export type OutboxState = 'waiting' | 'filed' | 'refused' | 'done'

/** A visit that is finished here, and how far it has come. */
export interface OutboxItem {
  id: string
  member: string
  state: OutboxState
  visit: VisitDraft | null // null once the server has all of it
  form: Record<string, unknown>
  door: string | null
  name: string // what the list shows
  address: string
  outcome: VisitDraft['outcome']
  issues: number
  photos: number
  photos_sent: number
  put_at: string
  filed_at?: string | null // when the server answered for it
  done_at: string | null
  attempts: number
  failure: string | null // why the last attempt came to nothing, by its code
  problem: Problem | null // why the server refuses it
  receipt: Receipt | null
}

interface Schema extends DBSchema {
  session: { key: 'session'; value: SignedIn }
  day: { key: 'day'; value: { etag: string | null; fetched_at: string; day: Day } }
  forms: { key: string; value: { key: string; xml: string; fetched_at: string } }
  notices: { key: string; value: Notice }
  drafts: { key: string; value: Draft }
  photos: { key: string; value: KeptPhoto; indexes: { draft: string } }
  outbox: { key: string; value: OutboxItem; indexes: { state: OutboxState } }
  leases: { key: string; value: { owner: string; until: number } }
  settings: { key: string; value: unknown }
}

export type Store = StoreNames<Schema>
export type Database = IDBPDatabase<Schema>

/** Step n takes a phone from version n to n + 1. */
const STEPS: ((database: Database) => void)[] = [
  (database) => {
    database.createObjectStore('session')
    database.createObjectStore('day')
    database.createObjectStore('forms', { keyPath: 'key' })
    database.createObjectStore('notices', { keyPath: 'id' })
    database.createObjectStore('drafts', { keyPath: 'id' })
    database.createObjectStore('photos', { keyPath: 'id' }).createIndex('draft', 'draft')
    database.createObjectStore('outbox', { keyPath: 'id' }).createIndex('state', 'state')
    database.createObjectStore('leases')
    database.createObjectStore('settings')
  },
]

export const NAME = 'zoufang'

let opened: Promise<Database> | null = null

/** The database, opened once; closed and opened anew when a newer client in another tab wants to lift it. */
export function database(): Promise<Database> {
  opened ??= openDB<Schema>(NAME, STEPS.length, {
    upgrade(upgraded, from) {
      for (const step of STEPS.slice(from)) step(upgraded)
    },
    blocking(_from, _to, event) {
      ;(event.target as IDBDatabase).close()
      opened = null
    },
    terminated() {
      opened = null
    },
  }).catch((error: unknown) => {
    opened = null
    throw error
  })
  return opened
}

/** What must not be lost with the battery is on the disk before it is told as kept. */
export const DURABLE = { durability: 'strict' } as const
