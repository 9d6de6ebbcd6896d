// The board and the issue by keyboard. A key that is typed into a field belongs to the field.

const ROWS = 'tr[data-issue] a.open'

function typing(event: KeyboardEvent): boolean {
  const target = event.target
  if (!(target instanceof HTMLElement)) return false
  if (target.isContentEditable || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement) return true
  return target instanceof HTMLInputElement && !['checkbox', 'button', 'submit', 'reset'].includes(target.type)
}

/** Goes on so many rows from the one that has the focus; from none to the first, or the last. */
function step(by: number): boolean {
  const rows = [...document.querySelectorAll<HTMLElement>(ROWS)]
  const row = document.activeElement?.closest('tr')
  const at = rows.findIndex((one) => one.closest('tr') === row)
  const next = rows[at < 0 ? (by > 0 ? 0 : rows.length - 1) : at + by]
  if (!next) return false
  next.focus()
  next.closest('tr')?.scrollIntoView({ block: 'nearest' })
  return true
}

function tick(): boolean {
  const box = document.activeElement?.closest('tr[data-issue]')?.querySelector<HTMLInputElement>('input[name=issue]')
  box?.click()
  return box != null
}

function search(): boolean {
  const field = document.querySelector<HTMLInputElement>('[data-search]')
  field?.focus()
  field?.select()
  return field !== null
}

function help(): boolean {
  const shown = document.querySelector<HTMLDialogElement>('dialog#keys')
  if (!shown) return false
  if (shown.open) shown.close()
  else shown.showModal()
  return true
}

function follow(selector: string): boolean {
  const link = document.querySelector<HTMLAnchorElement>(selector)
  link?.click()
  return link !== null
}

const onIssue = (): boolean => document.querySelector('[data-next], [data-previous], [data-back]') !== null

const KEYS: Record<string, () => boolean> = {
  j: () => (onIssue() ? follow('a[data-next]') : step(1)),
  k: () => (onIssue() ? follow('a[data-previous]') : step(-1)),
  ArrowDown: () => !onIssue() && step(1),
  ArrowUp: () => !onIssue() && step(-1),
  x: tick,
  u: () => follow('a[data-back]'),
  '/': search,
  '?': help,
}

export function keys(): void {
  document.addEventListener('keydown', (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return
    if (typing(event)) {
      if (event.key === 'Escape' && event.target instanceof HTMLElement) event.target.blur()
      return
    }
    // arrows scroll, unless one is among the rows already
    const row = document.activeElement?.closest('tr[data-issue]')
    if (event.key.startsWith('Arrow') && !row) return
    if (document.querySelector('dialog[open]') && event.key !== '?') return
    if (KEYS[event.key]?.()) event.preventDefault()
  })
}
