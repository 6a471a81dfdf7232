/** Outlines on a 16 × 16 grid. */
const OUTLINES = {
  cloud: 'M4.5 12.5h7a3 3 0 0 0 .4-6 4 4 0 0 0-7.7-.6A3.3 3.3 0 0 0 4.5 12.5z',
  datacenter: 'M2.5 14V5.5L8 2l5.5 3.5V14M2 14h12M6.5 14v-3.5h3V14M6 7.5h4',
  folder: 'M2 4.5h4l1.5 1.5H14v7H2z',
  cluster: 'M2 3h5.5v4.5H2zM8.5 8.5H14V13H8.5zM4.75 7.5v3.25H8.5',
  host: 'M2.5 3h11v4h-11zM2.5 9h11v4h-11zM5 5h.01M5 11h.01',
  pool: 'M8 2.5 14 5.5 8 8.5 2 5.5zM2 8.25l6 3 6-3M2 11l6 3 6-3',
  datastore: 'M3 4.5c0-2.3 10-2.3 10 0v7c0 2.3-10 2.3-10 0zM3 4.5c0 2.3 10 2.3 10 0M3 8c0 2.3 10 2.3 10 0',
  'storage-policy': 'M3 4.5c0-2.3 10-2.3 10 0v7c0 2.3-10 2.3-10 0zM5.5 8.5l2 2 3.5-3.5',
  network: 'M6 2h4v3.5H6zM1.5 10.5h4V14h-4zM10.5 10.5h4V14h-4zM8 5.5V8M3.5 10.5V8h9v2.5',
  vdc: 'M2.5 3.5h11v9h-11zM2.5 6.5h11M5 9.5h2.5',
  catalog: 'M3 2.5h8.5a1.5 1.5 0 0 1 1.5 1.5v9.5H4.5A1.5 1.5 0 0 1 3 12zM3 12a1.5 1.5 0 0 1 1.5-1.5H13M6 5.5h4',
  vapp: 'M2 2h5v5H2zM9 2h5v5H9zM2 9h5v5H2zM9 9h5v5H9z',
  vm: 'M2 3h12v8H2zM5.5 14h5M8 11v3',
  template: 'M4 4h10v8H4zM2 10V2h10',
  media: 'M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zM8 6.75a1.25 1.25 0 1 0 0 2.5 1.25 1.25 0 0 0 0-2.5z',
  open: 'M6 4l4 4-4 4',
  opened: 'M4 6l4 4 4-4',
  up: 'M4 9.5l4-4 4 4',
  down: 'M4 6.5l4 4 4-4',
  sun: 'M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1 1M12 12l1 1M3 13l1-1M12 4l1-1',
  moon: 'M13 9.5A5.5 5.5 0 0 1 6.5 3a5.5 5.5 0 1 0 6.5 6.5z',
  done: 'M3.5 8.5l3 3 6-7',
  cross: 'M4 4l8 8M12 4l-8 8',
  arrow: 'M2 8h11M9 4l4 4-4 4',
} as const;

export type GlyphName = keyof typeof OUTLINES;

/** Decoration only: what it means always stands beside it as text. */
export function Glyph({ name, size = 16 }: { name: GlyphName; size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 16 16" aria-hidden="true" style={{ flex: 'none' }}>
      <path
        d={OUTLINES[name]}
        fill="none"
        stroke="currentColor"
        strokeWidth="1.3"
        strokeLinecap="round"
        strokeLinejoin="round"
      />
    </svg>
  );
}
