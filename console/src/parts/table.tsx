/** A table that scrolls on its own where it is too wide, with columns that can be sorted. */
import { type ReactNode, useEffect, useState } from 'react';
import { flushSync } from 'react-dom';

export interface Column<Row> {
  readonly key: string;
  readonly head: string;
  readonly cell: (row: Row) => ReactNode;
  /** Sorts by it; absent: the column cannot be sorted. */
  readonly value?: (row: Row) => number | string;
  readonly number?: boolean;
}

interface Props<Row> {
  readonly caption: string;
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  readonly rowKey: (row: Row) => string;
  readonly empty?: ReactNode;
  /** Shown at first; the rest after a click. */
  readonly limit?: number;
  readonly foot?: ReactNode;
}

export function Table<Row>({ caption, columns, rows, rowKey, empty, limit = 50, foot }: Props<Row>) {
  const [sort, setSort] = useState<{ readonly key: string; readonly down: boolean } | null>(null);
  const [all, setAll] = useState(false);
  // What is printed is whole: nobody can click on paper.
  useEffect(() => {
    const showAll = (): void => flushSync(() => setAll(true));
    addEventListener('beforeprint', showAll);
    return () => removeEventListener('beforeprint', showAll);
  }, []);
  if (rows.length === 0) return <div className="empty">{empty ?? 'Nothing here.'}</div>;
  const sorted = sortedBy(rows, columns.find(({ key }) => key === sort?.key)?.value, sort?.down ?? false);
  const shown = all ? sorted : sorted.slice(0, limit);
  return (
    <>
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls must be reachable by keyboard */}
      <div className="table-scroll" tabIndex={0} role="region" aria-label={caption}>
        <table>
          <caption className="sr-only">{caption}</caption>
          <thead>
            <tr>
              {columns.map((column) => (
                <Head key={column.key} column={column} sort={sort} onSort={setSort} />
              ))}
            </tr>
          </thead>
          <tbody>
            {shown.map((row) => (
              <tr key={rowKey(row)}>
                {columns.map(({ key, cell, number }) => (
                  <td key={key} className={number ? 'number' : undefined}>
                    {cell(row)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
          {foot !== undefined && <tfoot>{foot}</tfoot>}
        </table>
      </div>
      {sorted.length > shown.length && (
        <button type="button" className="more no-print" onClick={() => setAll(true)}>
          Show all {sorted.length} rows
        </button>
      )}
    </>
  );
}

interface HeadProps<Row> {
  readonly column: Column<Row>;
  readonly sort: { readonly key: string; readonly down: boolean } | null;
  readonly onSort: (sort: { readonly key: string; readonly down: boolean }) => void;
}

function Head<Row>({ column: { key, head, number, value }, sort, onSort }: HeadProps<Row>) {
  const mine = sort?.key === key ? sort : null;
  const order = mine === null ? 'none' : mine.down ? 'descending' : 'ascending';
  if (!value)
    return (
      <th scope="col" className={number ? 'number' : undefined}>
        {head}
      </th>
    );
  return (
    <th scope="col" className={number ? 'number' : undefined} aria-sort={order}>
      <button type="button" onClick={() => onSort({ key, down: mine === null ? number === true : !mine.down })}>
        {head}
        <span aria-hidden="true">{mine === null ? '' : mine.down ? ' ↓' : ' ↑'}</span>
      </button>
    </th>
  );
}

function sortedBy<Row>(rows: readonly Row[], value: ((row: Row) => number | string) | undefined, down: boolean): readonly Row[] {
  if (!value) return rows;
  const sign = down ? -1 : 1;
  return [...rows].sort((a, b) => {
    const [left, right] = [value(a), value(b)];
    return sign * (typeof left === 'number' && typeof right === 'number' ? left - right : String(left).localeCompare(String(right)));
  });
}
