// Base maps drawn in GCJ-02 or BD-09 need every position moved to where they draw it. All else is WGS-84.

export type Move = (lon: number, lat: number) => [number, number]

/** The ways from WGS-84 to where a base map draws it, and back; the transformation is loaded where one is needed. */
export async function moves(system: string): Promise<{ toDrawn: Move; toTrue: Move }> {
  if (system !== 'gcj02' && system !== 'bd09') return { toDrawn: stay, toTrue: stay }
  const { default: gcoord } = await import('gcoord')
  const drawn = system === 'gcj02' ? gcoord.GCJ02 : gcoord.BD09
  return {
    toDrawn: (lon, lat) => gcoord.transform([lon, lat], gcoord.WGS84, drawn) as [number, number],
    toTrue: (lon, lat) => gcoord.transform([lon, lat], drawn, gcoord.WGS84) as [number, number],
  }
}

const stay: Move = (lon, lat) => [lon, lat]
