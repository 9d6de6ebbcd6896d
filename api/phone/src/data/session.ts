// Who is signed in. What waits to be sent belongs to a person: nobody else can send it, and it outlives every token.

import { computed, reactive } from 'vue'
import { database, type SignedIn } from './database'
import { newId } from './ids'
import { ask, Failed } from './requests'
import * as wiping from './wiping'

interface Credentials {
  account: string
  password: string
  second_factor?: string
}

interface Added {
  id: string
  token: string
  expires_at: string
  member: string
  name: string
}

/** Somebody else's visits wait on this phone: they must sign in and send them first. */
export class OfAnother extends Error {
  constructor(readonly name: string) {
    super('of_another')
    this.name = name
  }
}

const kept = reactive<{ known: boolean; of: SignedIn | null; ended: 'expired' | 'revoked' | null }>({
  known: false, // until what is kept has been read
  of: null,
  ended: null,
})

export const session = reactive({
  known: computed(() => kept.known),
  /** A token is there: not that it still holds, which only the server can tell. */
  signedIn: computed(() => Boolean(kept.of?.token)),
  token: computed(() => kept.of?.token ?? null),
  /** Whose data lies on this phone, signed in or not. */
  member: computed(() => kept.of?.member ?? null),
  name: computed(() => kept.of?.name ?? ''),
  device: computed(() => kept.of?.device ?? null),
  expiresAt: computed(() => kept.of?.expires_at ?? null),
  /** Why nobody is signed in any more, if it was not their own doing. */
  ended: computed(() => kept.ended),
})

/** Read who is signed in; once, at the start, and again when another tab has changed it. */
export async function load(): Promise<void> {
  kept.of = (await (await database()).get('session', 'session')) ?? null
  if (kept.of?.token) kept.ended = null
  kept.known = true
}

const news = 'BroadcastChannel' in self ? new BroadcastChannel('zoufang-session') : null
if (news) news.onmessage = () => void load()

async function keep(of: SignedIn | null): Promise<void> {
  const opened = await database()
  if (of) await opened.put('session', of, 'session')
  else await opened.delete('session', 'session')
  kept.of = of
  news?.postMessage(null)
}

/** Sign in. Throws Failed, or OfAnother when what waits here is somebody else's; the new token is given back then. */
export async function signIn(given: Credentials): Promise<void> {
  const answer = await ask('/api/devices', { json: { ...given, device: deviceName() } })
  const added = (await answer.json()) as Added
  const before = kept.of
  if (before && before.member !== added.member) {
    if (await wiping.somethingWaits()) {
      await revoke(added.id, added.token)
      throw new OfAnother(before.name)
    }
    await wiping.everything()
  }
  kept.ended = null
  await keep({ token: added.token, device: added.id, member: added.member, name: added.name, expires_at: added.expires_at })
}

/** Sign out, and tell the server if it can be reached. What waits stays, and still belongs to this person. */
export async function signOut(): Promise<void> {
  const of = kept.of
  if (!of) return
  if (of.token && of.device) await revoke(of.device, of.token)
  kept.ended = null
  await letGo(of)
}

/** The server no longer lets us in: the token has run out, or somebody has ended it from afar. */
export async function refused(token: string, failed: Failed): Promise<void> {
  const of = kept.of
  if (!of || of.token !== token) return
  const now = failed.at ?? Date.now()
  kept.ended = of.expires_at && now >= Date.parse(of.expires_at) ? 'expired' : 'revoked'
  await letGo(of)
}

/** What the member could look up again goes; what only this phone has stays, with the name of who it belongs to. */
async function letGo(of: SignedIn): Promise<void> {
  if (await wiping.somethingWaits()) {
    if (kept.ended !== 'expired') await wiping.whatTheServerHas()
    await keep({ ...of, token: null, device: null, expires_at: null })
  } else {
    await wiping.everything()
    await keep(null)
  }
}

async function revoke(device: string, token: string): Promise<void> {
  try {
    await ask(`/api/devices/${device}/revoke`, { json: {}, token, patience: 5_000 })
  } catch (error) {
    if (!(error instanceof Failed)) throw error // without a network it runs out by itself
  }
}

/** Asked before what comes of a request is kept: whether who was signed in when it was made still is. After that nothing
 *  of theirs is put onto the phone any more. */
export function whileSignedIn(): () => boolean {
  const { token } = session
  const cleared = wiping.times()
  return () => session.token === token && wiping.times() === cleared
}

/** Ask the server as who is signed in; a refusal of the token ends the session. Throws Failed. */
export async function askAsMember(path: string, asked: Parameters<typeof ask>[1] = {}): Promise<Response> {
  const token = session.token
  if (!token) throw new Failed('not_signed_in', 401)
  try {
    return await ask(path, { ...asked, token })
  } catch (error) {
    if (error instanceof Failed && error.status === 401) await refused(token, error)
    throw error
  }
}

/** What the phone is called in the list of one's phones. */
function deviceName(): string {
  const agent = navigator.userAgent
  const system = /Android[^;)]*(?:;\s*([^;)]+))?/.exec(agent)
  const named = system?.[1]?.trim() ?? (/iPhone|iPad/.exec(agent)?.[0] || 'PC')
  return `${named} ${newId().slice(0, 4)}`.slice(0, 80)
}
