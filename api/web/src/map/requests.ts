// Asks the server, and tells apart the ways in which it does not answer.

export type Trouble = 'offline' | 'signed_out' | 'refused' | 'not_found' | 'busy' | 'fault'

export class Failed extends Error {
  constructor(
    readonly trouble: Trouble,
    readonly said: string | null = null,
  ) {
    super(trouble)
  }
}

const BY_STATUS: Record<number, Trouble> = { 401: 'signed_out', 403: 'refused', 404: 'not_found', 503: 'busy' }
const PATIENCE_MS = 20_000

type Side = 'now' | 'then'
type Here = (path: string, query: URLSearchParams, side: Side) => unknown

let here: Here | null = null

/** Lets questions be answered by what the page has with it, and no server be asked. */
export function answerHere(answer: Here): void {
  here = answer
}

/** Reads JSON; `side` tells which of two periods that are compared is meant. Throws Failed, or an AbortError when the
 * caller gave up. */
export async function get<Answer>(
  path: string,
  query: URLSearchParams,
  signal: AbortSignal,
  side: Side = 'now',
): Promise<Answer> {
  if (here) return here(path, query, side) as Answer
  return await ask<Answer>(`${path}?${query}`, { headers: { Accept: 'application/json' } }, signal)
}

/** Posts JSON and reads the answer; what is asked stands in no address. Throws as `get` does. */
export async function post<Answer>(path: string, body: object, signal: AbortSignal): Promise<Answer> {
  const headers = {
    Accept: 'application/json',
    'Accept-Language': document.documentElement.lang,
    'Content-Type': 'application/json',
    'X-CSRF-Token': csrfToken(),
  }
  return await ask<Answer>(path, { method: 'POST', headers, body: JSON.stringify(body) }, signal)
}

function csrfToken(): string {
  const name = 'zoufang_csrf='
  const cookie = document.cookie.split('; ').find((one) => one.startsWith(name))
  return cookie?.slice(name.length) ?? ''
}

async function ask<Answer>(address: string, request: RequestInit, signal: AbortSignal): Promise<Answer> {
  const patience = new AbortController()
  const timer = setTimeout(() => patience.abort(), PATIENCE_MS)
  const giveUp = (): void => patience.abort()
  signal.addEventListener('abort', giveUp)
  try {
    const answer = await fetch(address, { ...request, credentials: 'same-origin', signal: patience.signal })
    if (!answer.ok) throw new Failed(BY_STATUS[answer.status] ?? 'fault', await problemTitle(answer))
    return (await answer.json()) as Answer
  } catch (error) {
    if (error instanceof Failed) throw error
    if (signal.aborted) throw new DOMException('given up', 'AbortError')
    throw new Failed('offline')
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', giveUp)
  }
}

async function problemTitle(answer: Response): Promise<string | null> {
  try {
    const problem = (await answer.json()) as { title?: unknown }
    return typeof problem.title === 'string' ? problem.title : null
  } catch {
    return null
  }
}

export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'AbortError'
}

/** A line of requests of which only the newest counts. */
export class Newest {
  private running: AbortController | null = null

  async run<Answer>(ask: (signal: AbortSignal) => Promise<Answer>): Promise<Answer> {
    this.running?.abort()
    const mine = new AbortController()
    this.running = mine
    return await ask(mine.signal)
  }

  stop(): void {
    this.running?.abort()
  }
}
