// When the outbox is sent: whenever something was put into it, whenever there may be a network again, and again and
// again, less and less often, while it does not go. Never by two tabs at once.

import { reactive } from 'vue'
import { alone } from './alone'
import { whenReachable } from './net'
import * as day from './day'
import * as notices from './notices'
import * as outbox from './outbox'
import { Failed } from './requests'
import { pass } from './sending'
import { session } from './session'

const FIRST_PAUSE_MS = 2_000
const LONGEST_PAUSE_MS = 5 * 60_000

export const sync = reactive({
  running: false,
  /** Why it did not go the last time, by its code; null when it did. */
  failure: null as string | null,
  /** When it is tried again by itself. */
  nextAt: null as number | null,
})

let pause = FIRST_PAUSE_MS
let timer: ReturnType<typeof setTimeout> | undefined
let again = false

/** Send what waits now; by hand, or by itself. */
export async function send(): Promise<void> {
  if (sync.running) {
    again = true // what was put since is taken along
    return
  }
  if (!session.signedIn || outbox.waiting.value.length === 0) return
  clearTimeout(timer)
  sync.running = true
  sync.nextAt = null
  try {
    let reported: Promise<void> = Promise.resolve()
    function progress(): void {
      pause = FIRST_PAUSE_MS // something arrives, however often the line breaks
      reported = reported.then(outbox.changed)
    }
    const mine = await alone('zoufang-outbox', () => pass(progress))
    await reported
    sync.failure = null
    pause = FIRST_PAUSE_MS
    await outbox.changed()
    if (!mine) later() // the other tab may be closed in the middle of it
    else if (outbox.waiting.value.length > 0) later() // a receipt asked for something again
  } catch (error) {
    await outbox.changed()
    sync.failure = error instanceof Failed ? error.code : 'fault'
    if (!(error instanceof Failed) || error.status !== 401) later()
    if (!(error instanceof Failed)) throw error
  } finally {
    sync.running = false
    if (again) {
      again = false
      void send()
    }
  }
}

function later(): void {
  const wait = pause * (0.75 + Math.random() / 2) // a street of phones does not come back in one second
  pause = Math.min(LONGEST_PAUSE_MS, pause * 2)
  sync.nextAt = Date.now() + wait
  timer = setTimeout(() => void send(), wait)
}

/** From now on the outbox sends itself. */
export function begin(): void {
  outbox.whenPut(() => void send())
  whenReachable(() => {
    pause = FIRST_PAUSE_MS
    void send()
    void day.refresh()
    void notices.refresh()
  })
  void send()
}
