// Asking the server. A signal that breaks leaves a request hanging: none waits longer than it is given.

import type { Problem } from './contract'
import { net } from './net'
import { language } from '../words'

const PATIENCE_MS = 30_000
const PASSING = [0, 408, 409, 423, 429] // no answer, too slow, or something else is in the middle of it

/** What came of a request that came to nothing: `offline`, `slow`, or the code of the server's refusal. */
export class Failed extends Error {
  constructor(
    readonly code: string,
    readonly status: number,
    readonly problem: Problem | null = null,
    readonly at: number | null = null, // the server's clock, if it answered
  ) {
    super(problem?.title ?? code)
  }

  /** Trying again later may help. */
  get passing(): boolean {
    return PASSING.includes(this.status) || this.status >= 500
  }
}

interface Asked {
  method?: string
  token?: string | null
  json?: unknown
  headers?: Record<string, string>
  patience?: number
}

/** The answer, if it is a good one or 304. Throws Failed. */
export async function ask(path: string, asked: Asked = {}): Promise<Response> {
  const headers: Record<string, string> = { 'Accept-Language': language.value, ...asked.headers }
  if (asked.token) headers.Authorization = `Bearer ${asked.token}`
  if (asked.json !== undefined) headers['Content-Type'] = 'application/json'
  const control = new AbortController()
  const timer = setTimeout(() => control.abort(), asked.patience ?? PATIENCE_MS)
  try {
    const answer = await fetch(path, {
      method: asked.method ?? (asked.json === undefined ? 'GET' : 'POST'),
      headers,
      body: asked.json === undefined ? null : JSON.stringify(asked.json),
      credentials: 'omit', // the phone's token alone says who asks
      cache: 'no-store',
      signal: control.signal,
    })
    net.reached = true
    if (answer.ok || answer.status === 304) return await whole(answer)
    throw await refusal(answer)
  } catch (error) {
    if (error instanceof Failed) throw error
    net.reached = false
    throw new Failed(control.signal.aborted ? 'slow' : 'offline', 0)
  } finally {
    clearTimeout(timer)
  }
}

/** The body too has to arrive in time. */
async function whole(answer: Response): Promise<Response> {
  if (answer.status === 204 || answer.status === 304) return answer
  return new Response(await answer.arrayBuffer(), { status: answer.status, headers: answer.headers })
}

async function refusal(answer: Response): Promise<Failed> {
  const date = Date.parse(answer.headers.get('Date') ?? '')
  const at = Number.isNaN(date) ? null : date
  const problem = (await answer.json().catch(() => null)) as Problem | null
  return new Failed(problem?.code ?? `http_${answer.status}`, answer.status, problem, at)
}
