// Photos: shrunk on the phone, known by their hash, and kept until the server says that it has them.

import type { Photo, Position } from './contract'
import { database, DURABLE, type KeptPhoto } from './database'
import { newId } from './ids'
import { net } from './net'

const LONGEST_SIDE = 1600 // pixels; what is on a picture can still be read, and a hundred go over a poor signal
const QUALITY = 0.8

export class PhotoUnusable extends Error {}

export interface Added extends Photo {
  id: string
}

/** Shrink a picture and keep it with its draft. Throws PhotoUnusable for what is no picture, and without TLS. */
export async function add(draft: string, picture: Blob, position: Position | null = null): Promise<Added> {
  const blob = await shrunk(picture)
  const sha256 = await digest(blob)
  const same = (await of(draft)).find((photo) => photo.sha256 === sha256)
  if (same) return { id: same.id, sha256, bytes: same.bytes }
  const photo: KeptPhoto = {
    id: newId(),
    draft,
    sha256,
    bytes: blob.size,
    blob,
    taken_at: new Date().toISOString(),
    position: position && { ...position },
    upload: null,
    sent: false,
  }
  const transaction = (await database()).transaction('photos', 'readwrite', DURABLE)
  await Promise.all([transaction.store.put(photo), transaction.done])
  return { id: photo.id, sha256, bytes: blob.size }
}

/** The photos of a draft, or of a visit that waits. */
export async function of(draft: string): Promise<KeptPhoto[]> {
  return (await database()).getAllFromIndex('photos', 'draft', draft)
}

export async function get(id: string): Promise<KeptPhoto | undefined> {
  return (await database()).get('photos', id)
}

export async function remove(id: string): Promise<void> {
  await (await database()).delete('photos', id)
}

async function shrunk(picture: Blob): Promise<Blob> {
  const image = await decoded(picture)
  const scale = Math.min(1, LONGEST_SIDE / Math.max(image.naturalWidth, image.naturalHeight))
  const canvas = document.createElement('canvas')
  canvas.width = Math.max(1, Math.round(image.naturalWidth * scale))
  canvas.height = Math.max(1, Math.round(image.naturalHeight * scale))
  canvas.getContext('2d')?.drawImage(image, 0, 0, canvas.width, canvas.height)
  const blob = await new Promise<Blob | null>((done) => canvas.toBlob(done, 'image/jpeg', QUALITY))
  canvas.width = canvas.height = 0 // Safari keeps the memory of a canvas until it is told not to
  if (!blob) throw new PhotoUnusable()
  return blob
}

/** An image element turns a picture as its camera was held; createImageBitmap does not everywhere. */
async function decoded(picture: Blob): Promise<HTMLImageElement> {
  const address = URL.createObjectURL(picture)
  const image = new Image()
  image.src = address
  try {
    await image.decode()
  } catch {
    throw new PhotoUnusable()
  } finally {
    URL.revokeObjectURL(address)
  }
  return image
}

async function digest(blob: Blob): Promise<string> {
  if (!net.secure) throw new PhotoUnusable() // without TLS the browser has no hash
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', await blob.arrayBuffer()))
  return [...hash].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}
