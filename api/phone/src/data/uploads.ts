// Photos in parts, by tus: what has come of one stays at the server, and the phone goes on where it was.

import { type DetailedError, Upload } from 'tus-js-client'
import { database, type KeptPhoto } from './database'
import { Failed } from './requests'

const STALLED_MS = 15_000 // without a byte moving, the connection is given up and taken up anew
const AGAIN_AT_ONCE = [409, 423] // another offset than the server's, or still writing what came before
const PATHS = '/api/uploads'

/** Send a photo of a visit or of one of its issues, or what is left of it. Throws Failed. */
export async function send(photo: KeptPhoto, of: 'visit' | 'issue', thing: string, token: string): Promise<void> {
  await new Promise<void>((sent, failed) => {
    let stalled: ReturnType<typeof setTimeout>
    const upload = new Upload(photo.blob, {
      endpoint: PATHS,
      uploadUrl: photo.upload ?? undefined,
      metadata: { [of]: thing, sha256: photo.sha256 },
      headers: { Authorization: `Bearer ${token}` },
      // A browser repeats by itself a part whose connection broke, from an offset that is past: asked again where it is,
      // the photo goes on from there. After everything else, who sends the outbox tries again.
      retryDelays: [0, 500, 2_000, 5_000],
      onShouldRetry: (error) => AGAIN_AT_ONCE.includes(error.originalResponse?.getStatus() ?? 0),
      storeFingerprintForResuming: false, // the address lies with the photo
      onBeforeRequest(request) {
        watch()
        const raw: unknown = request.getUnderlyingObject()
        if (raw instanceof XMLHttpRequest) raw.withCredentials = false
      },
      onUploadUrlAvailable() {
        if (upload.url && upload.url !== photo.upload) void remember(photo, upload.url)
      },
      onProgress: watch,
      onSuccess() {
        clearTimeout(stalled)
        sent()
      },
      onError(error) {
        clearTimeout(stalled)
        failed(asFailed(error))
      },
    })
    function watch(): void {
      clearTimeout(stalled)
      stalled = setTimeout(() => {
        void upload.abort()
        failed(new Failed('slow', 0))
      }, STALLED_MS)
    }
    watch()
    upload.start()
  })
}

async function remember(photo: KeptPhoto, address: string): Promise<void> {
  photo.upload = new URL(address, location.href).pathname
  await changePhoto(photo.id, (kept) => {
    kept.upload = photo.upload
  })
}

/** Change a photo as it stands in the database. */
export async function changePhoto(id: string, by: (photo: KeptPhoto) => void): Promise<void> {
  const transaction = (await database()).transaction('photos', 'readwrite')
  const photo = await transaction.store.get(id)
  if (photo) {
    by(photo)
    await transaction.store.put(photo)
  }
  await transaction.done
}

function asFailed(error: Error | DetailedError): Failed {
  const answer = 'originalResponse' in error ? error.originalResponse : null
  const status = answer?.getStatus() ?? 0
  if (!status) return new Failed('offline', 0)
  const date = Date.parse(answer?.getHeader('Date') ?? '')
  const at = Number.isNaN(date) ? null : date
  try {
    const problem = JSON.parse(answer?.getBody() ?? '') as Failed['problem']
    return new Failed(problem?.code ?? `http_${status}`, status, problem, at)
  } catch {
    return new Failed(`http_${status}`, status, null, at)
  }
}
