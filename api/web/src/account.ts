// The code with which ODK Collect is set up: shown once, as it comes back, and kept nowhere.

interface Collect {
  server: string
  username: string
  token: string
  code: string
}

document.querySelector('form[data-collect]')?.addEventListener('done', (event) => {
  const told = (event as CustomEvent<Collect>).detail
  const shown = document.querySelector<HTMLElement>('[data-collect-shown]')
  const picture = shown?.querySelector<HTMLImageElement>('[data-code]')
  if (!shown || !picture) return
  picture.src = told.code
  for (const name of ['server', 'username', 'token'] as const) {
    const place = shown.querySelector(`[data-${name}]`)
    if (place) place.textContent = told[name]
  }
  const form = event.target as HTMLFormElement
  form.reset()
  form.hidden = true
  shown.hidden = false
})

export {}
