/** Many entries at once: first what would change, then the change. */
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { Link } from 'wouter';
import { type Answer, type ApiFault, request } from '../api/client.ts';
import { count, shortId } from '../lib/format.ts';
import { Badge, Card, Notice, PageHead, useTitle } from '../parts/basics.tsx';
import { type Column, Table } from '../parts/table.tsx';

type Preview = Answer<'POST /api/v1/registry/import/preview'>;
type Item = Preview['items'][number];

const MAX_BYTES = 16 * 1024 * 1024;
const KIND_WORDS = { store: 'Stores', device: 'Devices', key: 'Keys', campaign: 'Campaigns', content: 'Contents' } as const;

export function ImportPage() {
  useTitle('Import');
  const client = useQueryClient();
  const [text, setText] = useState('');
  const [tooLarge, setTooLarge] = useState(false);
  const preview = useMutation<Preview, ApiFault, string>({
    mutationFn: async (body) => (await request('POST /api/v1/registry/import/preview', {}, sent(body))).json() as Promise<Preview>,
  });
  const apply = useMutation<Answer<'POST /api/v1/registry/import'>, ApiFault, string>({
    mutationFn: async (body) =>
      (await request('POST /api/v1/registry/import', {}, sent(body))).json() as Promise<Answer<'POST /api/v1/registry/import'>>,
    onSuccess: () => client.invalidateQueries(),
  });
  const change = (next: string): void => {
    setText(next);
    setTooLarge(next.length > MAX_BYTES);
    preview.reset();
    apply.reset();
  };
  const read = async (file: File | undefined): Promise<void> => {
    if (!file) return;
    if (file.size > MAX_BYTES) setTooLarge(true);
    else change(await file.text());
  };
  const changes = preview.data?.counts.reduce((sum, one) => sum + one.new + one.changed, 0) ?? 0;
  return (
    <>
      <PageHead title="Import">
        <Link href="/registry/stores">Registry</Link> · Stores, devices with their keys, campaigns and contents. All of it or nothing.
      </PageHead>
      <Card title="1. The document">
        <p className="hint">
          JSON with the lists <code>stores</code>, <code>devices</code>, <code>campaigns</code>, <code>contents</code>; or NDJSON, an object
          with a <code>type</code> on each line.
        </p>
        <label className="file">
          Choose a file
          <input
            type="file"
            accept=".json,.ndjson,application/json,application/x-ndjson"
            onChange={({ target }) => void read(target.files?.[0])}
          />
        </label>
        <label>
          or paste it
          <textarea
            rows={8}
            className="mono"
            value={text.length > 200_000 ? `${text.slice(0, 2_000)}\n…` : text}
            readOnly={text.length > 200_000}
            onChange={({ target }) => change(target.value)}
            spellCheck={false}
          />
        </label>
        {tooLarge && <Notice tone="bad">The console takes up to 16 MiB; `npx playproof registry import FILE` takes 64.</Notice>}
        <div className="actions">
          <button
            type="button"
            className="primary"
            disabled={text.trim() === '' || tooLarge || preview.isPending}
            onClick={() => preview.mutate(text)}
          >
            {preview.isPending ? 'Comparing …' : 'Show what will change'}
          </button>
        </div>
      </Card>
      {preview.error && <ImportFault fault={preview.error} />}
      {preview.data && !apply.data && (
        <Card title="2. What will change">
          <PreviewTable preview={preview.data} />
          {apply.error && <ImportFault fault={apply.error} />}
          <div className="actions">
            <button type="button" className="primary" disabled={changes === 0 || apply.isPending} onClick={() => apply.mutate(text)}>
              {changes === 0 ? 'Nothing to import' : `Import ${count(changes)} ${changes === 1 ? 'change' : 'changes'}`}
            </button>
          </div>
        </Card>
      )}
      {apply.data && (
        <Notice tone="good" title="Imported.">
          Everything in the document is registered now. <Link href="/registry/stores">Back to the registry</Link>
        </Notice>
      )}
    </>
  );
}

function sent(body: string) {
  return { body, headers: { 'content-type': isNdjson(body) ? 'application/x-ndjson' : 'application/json' } };
}

/** As the command line decides it: the first line is an object with a type of its own. */
function isNdjson(text: string): boolean {
  const end = text.indexOf('\n');
  try {
    const first: unknown = JSON.parse(end < 0 ? text : text.slice(0, end));
    return typeof first === 'object' && first !== null && 'type' in first;
  } catch {
    return false;
  }
}

function PreviewTable({ preview }: { readonly preview: Preview }) {
  const columns: readonly Column<Item>[] = [
    { key: 'change', head: 'Change', cell: ({ change }) => <Badge tone={change === 'new' ? 'good' : 'warn'}>{change}</Badge> },
    { key: 'kind', head: 'What', cell: ({ kind }) => kind },
    {
      key: 'name',
      head: 'Name',
      cell: ({ id, name, kind }) => (
        <bdi title={id} className="name">
          {kind === 'key' ? `${id} of device ${shortId(name ?? '')}` : (name ?? shortId(id))}
        </bdi>
      ),
    },
  ];
  return (
    <>
      <dl className="tiles">
        {preview.counts.map(({ kind, new: fresh, changed, same }) => (
          <div key={kind} className="tile">
            <dt>{KIND_WORDS[kind]}</dt>
            <dd>
              <span className="tile-value">{count(fresh + changed)}</span>
              <span className="tile-note">
                {count(fresh)} new, {count(changed)} changed, {count(same)} as they are
              </span>
            </dd>
          </div>
        ))}
      </dl>
      <Table
        caption="New and changed"
        columns={columns}
        rows={preview.items}
        rowKey={({ kind, id, name }) => `${kind} ${id} ${name ?? ''}`}
        empty="Everything is registered like this already."
      />
      {preview.more > 0 && <p className="hint">and {count(preview.more)} more</p>}
    </>
  );
}

/** Each fault with its place, one below the other. */
function ImportFault({ fault }: { readonly fault: ApiFault }) {
  const parts = fault.message.replace(/^Nothing was imported: /, '').split('; ');
  return (
    <Notice tone="bad" title="Nothing was imported.">
      {fault.problem === null ? (
        fault.message
      ) : (
        <ul className="fault-list">
          {parts.map((part) => (
            <li key={part}>
              <bdi>{part}</bdi>
            </li>
          ))}
        </ul>
      )}
    </Notice>
  );
}
