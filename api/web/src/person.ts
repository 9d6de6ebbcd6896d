// A new one-time code is shown once, where it was asked for; to leave the page forgets it.
interface Issued {
  code: string
  link: string
}

document.addEventListener('done', (event) => {
  const form = event.target
  if (!(form instanceof HTMLFormElement) || !('code' in form.dataset)) return
  const issued = (event as CustomEvent<Issued>).detail
  const shown = document.querySelector<HTMLElement>('#issued')
  const code = document.querySelector<HTMLElement>('#code')
  const where = document.querySelector<HTMLElement>('#where')
  if (!shown || !code || !where) return
  code.textContent = issued.code
  where.textContent = issued.link.split('#')[0] ?? ''
  form.hidden = true
  shown.hidden = false
  shown.scrollIntoView({ block: 'nearest' })
})

export {}
