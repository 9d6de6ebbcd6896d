// Rating: what is tapped is saved as one goes (own), or handed in as one paper (paper, code). It says how much is missing
// and leads there; what could not be sent is kept and tried again.

type Mode = 'own' | 'paper' | 'code'

interface Problem {
  title?: string
  detail?: string
}

const english = document.documentElement.lang.startsWith('en')
const WORDS = english
  ? {
      count: (given: number, all: number) => `${given} of ${all}`,
      saving: 'Saving…',
      saved: 'All saved',
      offline: 'No connection: kept here, and tried again.',
      fault: 'Something went wrong; it is tried again.',
      complete: 'Nothing is missing.',
      handedIn: (papers: number) => `${papers} handed in`,
      empty: 'Nothing is rated yet.',
    }
  : {
      count: (given: number, all: number) => `${given} / ${all}`,
      saving: '正在保存…',
      saved: '已保存',
      offline: '网络不通，内容已留在本页，会再试。',
      fault: '程序出错了，会再试。',
      complete: '没有漏评。',
      handedIn: (papers: number) => `已录入 ${papers} 份`,
      empty: '还没有评分。',
    }
const WAIT_MS = 600
const AGAIN_MS = 8000

const found = document.querySelector<HTMLFormElement>('#rating')

/** A new id; `crypto.randomUUID` is not there on plain HTTP. */
function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16))
  const time = Date.now()
  for (let at = 0; at < 6; at++) bytes[at] = Math.floor(time / 2 ** (40 - 8 * at)) % 256
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x70
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

function cookie(name: string): string {
  return (
    document.cookie
      .split('; ')
      .find((one) => one.startsWith(`${name}=`))
      ?.slice(name.length + 1) ?? ''
  )
}

class Rating {
  private readonly mode: Mode
  private points = new Map<string, number | null>()
  private evidence = new Map<string, string>()
  private timer = 0
  private sending = false
  private papers = 0
  private paper = newId()

  constructor(private readonly form: HTMLFormElement) {
    this.mode = form.dataset.mode as Mode
    form.addEventListener('input', (event) => this.changed(event.target))
    form.addEventListener('click', (event) => this.clicked(event.target))
    form.addEventListener('submit', (event) => {
      event.preventDefault()
      if (this.mode !== 'own') void this.handIn()
      else void this.flush()
    })
    addEventListener('online', () => void this.flush())
    addEventListener('beforeunload', (event) => {
      if (this.mode === 'own' && (this.sending || this.waiting())) event.preventDefault()
    })
    this.show()
  }

  private items(within: ParentNode = this.form): HTMLElement[] {
    return Array.from(within.querySelectorAll<HTMLElement>('[data-item]'))
  }

  /** The points of an item; null where nothing is said. */
  private value(item: HTMLElement): number | null {
    const field =
      item.querySelector<HTMLInputElement>('input[data-code][type=radio]:checked') ??
      item.querySelector<HTMLInputElement>('input[data-code][type=number]')
    return field?.value ? Number(field.value) : null
  }

  private changed(target: EventTarget | null): void {
    if (!(target instanceof HTMLInputElement)) return
    if (target.dataset.evidence) this.evidence.set(target.dataset.evidence, target.value)
    else if (target.dataset.code) this.put(target.closest<HTMLElement>('[data-item]'))
    this.keep(WAIT_MS)
  }

  /** Show what was given and, where it is saved as one goes, have it saved. */
  private keep(wait: number): void {
    this.show()
    if (this.mode === 'own') this.say('state', WORDS.saving)
    this.soon(wait)
  }

  private put(item: HTMLElement | null): void {
    if (item?.dataset.item) this.points.set(item.dataset.item, this.value(item))
  }

  private clicked(target: EventTarget | null): void {
    if (!(target instanceof HTMLElement)) return
    if (target.closest('[data-copy]')) this.copy(target.closest<HTMLElement>('[data-heading]'))
    else if (target.closest('[data-next]')) this.leadTo(this.items().find((item) => this.value(item) === null))
    else if (target.dataset.to) this.leadTo(this.items().find((item) => item.dataset.item === target.dataset.to))
  }

  /** The items of a heading that are empty get the share of its first one that is not. */
  private copy(heading: HTMLElement | null): void {
    if (!heading) return
    const items = this.items(heading)
    const first = items.find((item) => this.value(item) !== null)
    if (!first) return this.say('state', WORDS.empty)
    const share = (this.value(first) as number) / Number(first.dataset.maximum)
    for (const item of items) {
      if (this.value(item) !== null) continue
      const points = Math.round(share * Number(item.dataset.maximum))
      const radio = item.querySelector<HTMLInputElement>(`input[type=radio][value="${points}"]`)
      const number = item.querySelector<HTMLInputElement>('input[type=number]')
      if (radio) radio.checked = true
      else if (number) number.value = String(points)
      this.put(item)
    }
    this.keep(0)
  }

  private leadTo(item: HTMLElement | undefined): void {
    if (!item) return this.say('state', WORDS.complete)
    const heading = item.closest('details')
    if (heading) heading.open = true
    item.scrollIntoView({ block: 'center' })
    item.querySelector<HTMLInputElement>('input:checked, input')?.focus({ preventScroll: true })
  }

  /** How far one is, in each heading and in all. */
  private show(): void {
    const items = this.items()
    const missing = items.filter((item) => this.value(item) === null)
    for (const heading of this.form.querySelectorAll<HTMLElement>('[data-heading]')) {
      const own = this.items(heading)
      const given = own.filter((item) => this.value(item) !== null).length
      const count = heading.querySelector<HTMLElement>('[data-count]')
      if (count) count.textContent = WORDS.count(given, own.length) + (given === own.length ? ' ✓' : '')
    }
    this.say('progress', `${items.length - missing.length} / ${items.length}`)
    const bar = this.form.querySelector('progress')
    if (bar) bar.value = items.length - missing.length
    const next = this.form.querySelector<HTMLElement>('[data-next]')
    if (next) next.hidden = missing.length === 0
    this.showMissing(missing)
  }

  private showMissing(missing: HTMLElement[]): void {
    const section = this.form.querySelector<HTMLElement>('[data-missing-section]')
    const list = this.form.querySelector<HTMLElement>('[data-missing]')
    if (!section || !list) return
    section.hidden = missing.length === 0
    list.replaceChildren(
      ...missing.map((item) => {
        const button = document.createElement('button')
        button.type = 'button'
        button.dataset.to = button.textContent = item.dataset.item ?? ''
        return button
      }),
    )
  }

  private say(name: 'state' | 'progress', words: string): void {
    const place = this.form.querySelector<HTMLElement>(`[data-${name}]`)
    if (place) place.textContent = words
  }

  private refuse(words: string): void {
    const alert = this.form.querySelector<HTMLElement>('[role=alert]')
    if (!alert) return
    alert.textContent = words
    alert.hidden = !words
  }

  /** Something was tapped that no answer has confirmed, and that is not under way either. */
  private waiting(): boolean {
    return this.points.size > 0 || this.evidence.size > 0
  }

  private soon(wait: number): void {
    if (this.mode !== 'own') return
    clearTimeout(this.timer)
    this.timer = setTimeout(() => void this.flush(), wait)
  }

  /** Save what was tapped since; what could not be sent waits, and what is tapped meanwhile goes next. */
  private async flush(): Promise<void> {
    if (this.sending || !this.waiting()) return
    const points = this.points
    const evidence = this.evidence
    this.points = new Map()
    this.evidence = new Map()
    this.sending = true
    this.say('state', WORDS.saving)
    const body = {
      id: newId(),
      group: this.form.dataset.group,
      points: Object.fromEntries(points),
      ...(evidence.size ? { evidence: Object.fromEntries(evidence) } : {}),
    }
    const problem = await this.send('PUT', body)
    this.sending = false
    if (problem === null) {
      this.refuse('')
      if (!this.waiting()) return this.say('state', WORDS.saved)
      return this.soon(0)
    }
    this.points = new Map([...points, ...this.points])
    this.evidence = new Map([...evidence, ...this.evidence])
    if (problem.title) this.refused(problem, points)
    else this.soon(AGAIN_MS)
  }

  /** What is wrong is said, and is not sent again until it is changed. */
  private refused(problem: Problem, points: Map<string, number | null>): void {
    this.say('state', '')
    this.refuse(problem.detail ?? problem.title ?? '')
    for (const code of points.keys()) this.points.delete(code)
  }

  /** One paper, or the one rating of a code. */
  private async handIn(): Promise<void> {
    if (this.sending) return
    const given = this.items()
      .map((item): [string, number | null] => [item.dataset.item ?? '', this.value(item)])
      .filter(([, value]) => value !== null)
    if (!given.length) return this.refuse(WORDS.empty)
    this.sending = true
    this.refuse('')
    this.say('state', WORDS.saving)
    const code = this.form.querySelector<HTMLInputElement>('[name=code]')?.value
    const about = this.mode === 'code' ? { code } : { group: 'people' }
    const body = { id: this.paper, ...about, points: Object.fromEntries(given) }
    const problem = await this.send(this.mode === 'code' ? 'POST' : 'PUT', body)
    this.sending = false
    if (problem) return problem.title ? this.refuse(problem.detail ?? problem.title) : undefined
    if (this.mode === 'code') this.thank()
    else this.nextPaper()
  }

  private thank(): void {
    const thanks = document.querySelector<HTMLElement>('[data-thanks]')
    this.form.hidden = true
    if (!thanks) return
    thanks.hidden = false
    thanks.focus()
  }

  private nextPaper(): void {
    this.papers += 1
    this.paper = newId()
    this.form.reset()
    this.show()
    this.say('state', WORDS.handedIn(this.papers))
    this.leadTo(this.items()[0])
  }

  /** null when it is done; a problem without a title when it is to be tried again. */
  private async send(method: string, body: object): Promise<Problem | null> {
    try {
      const answer = await fetch(this.form.getAttribute('action') ?? '', {
        method,
        credentials: 'same-origin',
        headers: {
          Accept: 'application/json',
          'Accept-Language': english ? 'en' : 'zh-CN',
          'Content-Type': 'application/json',
          'X-CSRF-Token': cookie('zoufang_csrf'),
        },
        body: JSON.stringify(body),
      })
      if (answer.ok) return null
      if (answer.status >= 500 || answer.status === 429) {
        this.say('state', WORDS.fault)
        return {}
      }
      return { title: WORDS.fault, ...((await answer.json()) as Problem) }
    } catch {
      this.say('state', WORDS.offline)
      return {}
    }
  }
}

if (found) new Rating(found)

document.addEventListener('click', (event) => {
  if (event.target instanceof HTMLElement && event.target.closest('[data-print]')) window.print()
})

// A code that was scanned stands behind #, which goes to no server before the form is sent.
const codeForm = document.querySelector<HTMLFormElement>('#code-form')
const scanned = location.hash.slice(1)
if (codeForm && scanned) {
  history.replaceState(null, '', location.pathname + location.search)
  const field = codeForm.querySelector<HTMLInputElement>('[name=code]')
  if (field) field.value = decodeURIComponent(scanned)
  codeForm.requestSubmit()
}

export {}
