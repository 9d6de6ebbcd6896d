// Reading QR codes: with the browser's own reader where there is one, else with a kept one of ours, loaded when needed.

type Reader = (picture: ImageData | Blob) => Promise<string | null>

interface Detector {
  detect: (picture: ImageBitmapSource) => Promise<{ rawValue: string }[]>
}
interface DetectorKind {
  new (of: { formats: string[] }): Detector
  getSupportedFormats: () => Promise<string[]>
}

let reader: Promise<Reader> | null = null

export function codeReader(): Promise<Reader> {
  reader ??= ownReader().then(
    (own) => own ?? keptReader(),
    () => keptReader(),
  )
  reader.catch(() => (reader = null)) // with no network it could not be loaded: another time it may
  return reader
}

async function ownReader(): Promise<Reader | null> {
  const kind = (window as { BarcodeDetector?: DetectorKind }).BarcodeDetector
  if (!kind || !(await kind.getSupportedFormats()).includes('qr_code')) return null
  const detector = new kind({ formats: ['qr_code'] })
  return async (picture) => (await detector.detect(picture))[0]?.rawValue ?? null
}

async function keptReader(): Promise<Reader> {
  const [{ prepareZXingModule, readBarcodes }, { default: address }] = await Promise.all([
    import('zxing-wasm/reader'),
    import('zxing-wasm/reader/zxing_reader.wasm?url'),
  ])
  const answer = await fetch(address) // by us: what breaks off is then tried another time, and complained of nowhere
  if (!answer.ok) throw new Error(`${address}: ${answer.status}`)
  await prepareZXingModule({ overrides: { wasmBinary: await answer.arrayBuffer() }, fireImmediately: true })
  return async (picture) => (await readBarcodes(picture, { formats: ['QRCode'], tryHarder: true }))[0]?.text ?? null
}

/** What the middle of a video shows now; a code that is held to the camera is there. */
export function frame(video: HTMLVideoElement, canvas: HTMLCanvasElement): ImageData | null {
  const side = Math.min(video.videoWidth, video.videoHeight)
  if (!side) return null
  const size = Math.min(side, 720)
  canvas.width = canvas.height = size
  const context = canvas.getContext('2d', { willReadFrequently: true })
  if (!context) return null
  context.drawImage(video, (video.videoWidth - side) / 2, (video.videoHeight - side) / 2, side, side, 0, 0, size, size)
  return context.getImageData(0, 0, size, size)
}
