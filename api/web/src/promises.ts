// The page of a commitment: reported done, with photos that prove it, and those of them sent later that did not come.

import { photosStillMissing, reportsWithPhotos } from './reported'

reportsWithPhotos((form) => {
  const said = Array.from(new FormData(form)).filter(([, value]) => value !== '')
  const { expected_version, ...others } = Object.fromEntries(said)
  return { ...others, expected_version: Number(expected_version) }
})

photosStillMissing()
