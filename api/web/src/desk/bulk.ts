// Ticked rows, and what is done with all of them.

const MOST_IN_ADDRESS = 150 // ids; a longer address would be cut on its way

export function bulk(): void {
  const form = document.querySelector<HTMLFormElement>('form#bulk')
  if (!form) return
  const all = form.querySelector<HTMLInputElement>('#tick-all')
  const bar = form.querySelector<HTMLElement>('.desk-bulk')
  const whole = form.querySelector<HTMLElement>('#bulk-all')
  const survivor = form.querySelector<HTMLSelectElement>('select[name=survivor]')
  const file = form.querySelector<HTMLAnchorElement>('a[data-export]')
  const ofTheList = file?.getAttribute('href') ?? ''

  const boxes = (): HTMLInputElement[] => [...form.querySelectorAll<HTMLInputElement>('input[type=checkbox][name=issue]')]

  function tell(): void {
    const rows = boxes()
    const ticked = rows.filter((box) => box.checked)
    for (const box of rows) box.closest('tr')?.toggleAttribute('data-ticked', box.checked)
    if (all) {
      all.checked = ticked.length > 0 && ticked.length === rows.length
      all.indeterminate = ticked.length > 0 && ticked.length < rows.length
    }
    const listed = [...(whole?.querySelectorAll<HTMLInputElement>('input[name=issue]') ?? [])]
    const chosen = new Set([...ticked, ...listed].map((field) => field.value.split(':')[0] ?? ''))
    if (bar) bar.hidden = chosen.size === 0
    for (const place of form?.querySelectorAll('[data-count]') ?? []) place.textContent = String(chosen.size)
    offerSurvivors(ticked)
    if (file) file.href = listed.length || chosen.size > MOST_IN_ADDRESS ? ofTheList : addressed(chosen)
  }

  function addressed(chosen: Set<string>): string {
    const [path] = ofTheList.split('?')
    const asked = new URLSearchParams([...chosen].map((id) => ['id', id]))
    if (document.documentElement.lang.startsWith('en')) asked.append('lang', 'en')
    return `${path}?${asked}`
  }

  function offerSurvivors(ticked: HTMLInputElement[]): void {
    if (!survivor) return
    const before = survivor.value
    survivor.replaceChildren(
      ...ticked.map((box) => {
        const row = box.closest('tr')
        const words = `${row?.querySelector('.number-of')?.textContent ?? ''} ${row?.querySelector('.open')?.textContent ?? ''}`
        return new Option(words, box.value.split(':')[0])
      }),
    )
    if (before) survivor.value = before
    if (survivor.selectedIndex < 0 && survivor.options.length) survivor.selectedIndex = 0
  }

  form.addEventListener('change', (event) => {
    if (event.target === all && all) for (const box of boxes()) box.checked = all.checked
    tell()
  })
  document.addEventListener('click', (event) => {
    if (!(event.target instanceof HTMLElement)) return
    if (event.target.matches('[data-none]')) {
      whole?.replaceChildren()
      for (const box of boxes()) box.checked = false
      tell()
    } else if (event.target.matches('[data-reload]')) {
      event.preventDefault()
      location.reload()
    }
  })
  // Enter in a field of the bar does nothing by itself: which of its buttons would be meant?
  bar?.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' && event.target instanceof HTMLInputElement) event.preventDefault()
  })
  document.addEventListener('htmx:afterSettle', tell)
  tell()
}
