// The part of an address after # never reaches the server: take it along through the door.
for (const next of document.querySelectorAll<HTMLInputElement>('input[name=next]'))
  if (location.hash && !next.value.includes('#')) next.value += location.hash

export {}
