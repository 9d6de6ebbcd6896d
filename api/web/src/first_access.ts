// A scanned code stands behind # in the address, which no server is sent. It is put into its field, and taken out of the
// address, so that it stays in no history.
const code = document.querySelector<HTMLInputElement>('#code')
const password = document.querySelector<HTMLInputElement>('#password')

function read(): void {
  const scanned = decodeURIComponent(location.hash.slice(1))
  if (!code || !scanned) return
  history.replaceState(null, '', location.pathname + location.search)
  code.value = scanned
  const told = document.querySelector<HTMLElement>('#scanned')
  if (told) told.hidden = false
  password?.focus()
}

addEventListener('hashchange', read)
read()
if (!code?.value) code?.focus()

export {}
