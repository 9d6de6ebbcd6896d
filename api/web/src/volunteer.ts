// A volunteer at the desk: their phone, once a purpose was given, and their personal link, which is shown this once.
interface Made {
  link: string
  qr_code: string
}

document.addEventListener('done', (event) => {
  const form = event.target
  if (!(form instanceof HTMLFormElement)) return
  if ('showsPhone' in form.dataset) {
    const shown = document.querySelector('[data-phone]')
    if (shown) shown.textContent = (event as CustomEvent<{ phone: string }>).detail.phone
    form.closest('details')?.remove()
  }
  if ('makesLink' in form.dataset) {
    const made = (event as CustomEvent<Made>).detail
    const place = document.querySelector<HTMLElement>('[data-link-made]')
    const picture = document.querySelector<HTMLImageElement>('[data-link-picture]')
    const link = document.querySelector('[data-link]')
    if (!place || !picture || !link) return
    picture.src = made.qr_code
    link.textContent = made.link
    form.hidden = true
    place.hidden = false
    place.scrollIntoView({ block: 'nearest' })
  }
})

export {}
