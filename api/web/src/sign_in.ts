// The part of an address after # never reaches the server: take it along through the door.
const next = document.querySelector<HTMLInputElement>('input[name=next]')
if (next && location.hash && !next.value.includes('#')) next.value += location.hash

export {}
