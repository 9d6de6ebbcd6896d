// What came back on the member's issues and what is told of services, kept to be read without signal.

import { computed, reactive } from 'vue'
import type { Notice } from './contract'
import { database } from './database'
import { Failed } from './requests'
import { askAsMember, session, whileSignedIn } from './session'

const kept = reactive<{ items: Notice[]; unseen: number }>({ items: [], unseen: 0 })

export const notices = reactive({
  items: computed(() => kept.items),
  unseen: computed(() => kept.unseen),
})

export async function load(): Promise<void> {
  take(await (await database()).getAll('notices'))
}

/** Ask for the newest; what is kept stays when there is no answer. */
export async function refresh(): Promise<void> {
  if (!session.signedIn) return
  const theirs = whileSignedIn()
  try {
    const inbox = (await (await askAsMember('/api/notices')).json()) as { items: Notice[] }
    const opened = await database()
    if (!theirs()) return
    const transaction = opened.transaction('notices', 'readwrite')
    await transaction.store.clear()
    await Promise.all(inbox.items.map((notice) => transaction.store.put(notice)))
    await transaction.done
    if (theirs()) take(inbox.items)
  } catch (error) {
    if (!(error instanceof Failed)) throw error
  }
}

function take(items: Notice[]): void {
  kept.items = [...items].sort((a, b) => (a.made_at < b.made_at ? 1 : -1))
  kept.unseen = items.filter((notice) => !notice.seen).length
}

window.addEventListener('zoufang-wiped', () => take([]))
