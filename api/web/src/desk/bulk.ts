// Ticked rows, and what is done with all of them.

export function bulk(): void {
  const form = document.querySelector<HTMLFormElement>('form#bulk')
  if (!form) return
  const all = form.querySelector<HTMLInputElement>('#tick-all')
  const bar = form.querySelector<HTMLElement>('.desk-bulk')

  const boxes = (): HTMLInputElement[] => [...form.querySelectorAll<HTMLInputElement>('input[name=issue]')]

  function tell(): void {
    const rows = boxes()
    const ticked = rows.filter((box) => box.checked).length
    for (const box of rows) box.closest('tr')?.toggleAttribute('data-ticked', box.checked)
    if (all) {
      all.checked = ticked > 0 && ticked === rows.length
      all.indeterminate = ticked > 0 && ticked < rows.length
    }
    if (bar) bar.hidden = ticked === 0
    for (const place of form?.querySelectorAll('[data-count]') ?? []) place.textContent = String(ticked)
  }

  form.addEventListener('change', (event) => {
    if (event.target === all && all) for (const box of boxes()) box.checked = all.checked
    tell()
  })
  document.addEventListener('htmx:afterSwap', tell)
  tell()
}
