/** Stores by their coordinates, on a grid of degrees: drawn here, without anybody's tiles. The table beside it says the same. */
import { Link } from 'wouter';

interface Place {
  readonly id: string;
  readonly name: string;
  readonly lat: number;
  readonly lng: number;
}

const MAX_DRAWN = 1_000;
/** More names would lie over each other. */
const MAX_NAMED = 14;
const WIDTH = 360;

export function StoreMap({ stores }: { readonly stores: readonly Place[] }) {
  if (stores.length === 0) return <p className="empty">No store to draw.</p>;
  const drawn = stores.slice(0, MAX_DRAWN);
  const box = boundsOf(drawn);
  const middle = Math.cos((((box.south + box.north) / 2) * Math.PI) / 180);
  const height = Math.min(640, Math.max(200, (WIDTH * (box.north - box.south)) / ((box.east - box.west) * middle)));
  const x = (lng: number): number => ((lng - box.west) / (box.east - box.west)) * WIDTH;
  const y = (lat: number): number => ((box.north - lat) / (box.north - box.south)) * height;
  return (
    <svg
      className="map"
      viewBox={`-4 -4 ${WIDTH + 8} ${height + 8}`}
      role="group"
      aria-label={`${drawn.length} stores by latitude and longitude`}
    >
      <rect x="-4" y="-4" width={WIDTH + 8} height={height + 8} className="sea" rx="8" />
      {gridOf(box.west, box.east).map((lng) => (
        <g key={`lng ${lng}`} className="grid-line">
          <line x1={x(lng)} x2={x(lng)} y1="0" y2={height} />
          <text x={x(lng) + 3} y={height - 4}>{`${label(Math.abs(lng))}° ${lng < 0 ? 'W' : 'E'}`}</text>
        </g>
      ))}
      {gridOf(box.south, box.north).map((lat) => (
        <g key={`lat ${lat}`} className="grid-line">
          <line x1="0" x2={WIDTH} y1={y(lat)} y2={y(lat)} />
          <text x="3" y={y(lat) - 3}>{`${label(Math.abs(lat))}° ${lat < 0 ? 'S' : 'N'}`}</text>
        </g>
      ))}
      {drawn.map(({ id, name, lat, lng }) => (
        <Link key={id} href={`/registry/stores/${id}`} aria-label={name} className="place">
          <circle cx={x(lng)} cy={y(lat)} r="12" className="place-target" />
          <circle cx={x(lng)} cy={y(lat)} r="5" />
          {drawn.length <= MAX_NAMED && (
            <text x={x(lng) + (x(lng) > WIDTH / 2 ? -9 : 9)} y={y(lat) + 3.5} textAnchor={x(lng) > WIDTH / 2 ? 'end' : 'start'}>
              {name.length > 28 ? `${name.slice(0, 27)}…` : name}
            </text>
          )}
          <title>{name}</title>
        </Link>
      ))}
    </svg>
  );
}

function boundsOf(places: readonly Place[]): { west: number; east: number; south: number; north: number } {
  const [lats, lngs] = [places.map(({ lat }) => lat), places.map(({ lng }) => lng)];
  const [south, north, west, east] = [Math.min(...lats), Math.max(...lats), Math.min(...lngs), Math.max(...lngs)];
  // Room around, and a box even where all stores stand in one place or in a line.
  const room = Math.max(0.05, (north - south) * 0.12, (east - west) * 0.12, (north - south) / 8);
  return { south: south - room, north: north + room, west: west - room, east: east + room };
}

/** Round degrees between two ends, four or so. */
function gridOf(from: number, to: number): readonly number[] {
  const rough = (to - from) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((one) => one >= rough) ?? rough;
  const lines: number[] = [];
  for (let line = Math.ceil(from / step) * step; line <= to && lines.length < 12; line += step) lines.push(Math.round(line * 1e6) / 1e6);
  return lines;
}

function label(degrees: number): string {
  return String(Math.round(degrees * 1e4) / 1e4);
}
