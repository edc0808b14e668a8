/** One entry of the registry: shown to who may look, a form for who may change it. */
import { useState } from 'react';
import { Link, useLocation } from 'wouter';
import { type ApiFault } from '../api/client.ts';
import { useCall, useChange } from '../api/queries.ts';
import { isUuid, newUuid, useAddress } from '../lib/address.ts';
import { shortId } from '../lib/format.ts';
import { Card, Fault, Loading, Notice, PageHead, useTitle } from '../parts/basics.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { useMay } from '../session/session.tsx';
import { EntryForm, type Fields, toFields } from './entry-form.tsx';
import { isPart, KINDS, type Part } from './registry.tsx';

const CALLS = {
  stores: {
    get: 'GET /api/v1/stores/{store_id}',
    put: 'PUT /api/v1/stores/{store_id}',
    retire: 'DELETE /api/v1/stores/{store_id}',
    id: 'store_id',
  },
  devices: {
    get: 'GET /api/v1/devices/{device_id}',
    put: 'PUT /api/v1/devices/{device_id}',
    retire: 'DELETE /api/v1/devices/{device_id}',
    id: 'device_id',
  },
  campaigns: {
    get: 'GET /api/v1/campaigns/{campaign_id}',
    put: 'PUT /api/v1/campaigns/{campaign_id}',
    retire: 'DELETE /api/v1/campaigns/{campaign_id}',
    id: 'campaign_id',
  },
  contents: {
    get: 'GET /api/v1/contents/{content_id}',
    put: 'PUT /api/v1/contents/{content_id}',
    retire: 'DELETE /api/v1/contents/{content_id}',
    id: 'content_id',
  },
} as const;

export function EntryPage({ kind, id }: { readonly kind: string; readonly id: string }) {
  useTitle('Registry');
  const [parameters] = useAddress();
  const [made] = useState(newUuid);
  const mayChange = useMay('change');
  if (!isPart(kind) || (id !== 'new' && !isUuid(id)) || (id === 'new' && !mayChange)) {
    return (
      <>
        <h1>Nothing here</h1>
        <Notice tone="warn">
          This address names nothing in the registry. <Link href="/registry/stores">Look it up</Link>
        </Notice>
      </>
    );
  }
  const wished = parameters.get('id');
  if (id === 'new') return <Edit part={kind} id={wished !== null && isUuid(wished) ? wished.toLowerCase() : made} before={null} />;
  return <Existing part={kind} id={id.toLowerCase()} />;
}

function Existing({ part, id }: { readonly part: Part; readonly id: string }) {
  const { get, id: name } = CALLS[part];
  // The four calls differ in the name of the id alone.
  const { data, error, refetch } = useCall(
    get as 'GET /api/v1/stores/{store_id}',
    { path: { [name]: id } as { store_id: string } },
    { fresh: true },
  );
  const mayChange = useMay('change');
  if (error?.code === 'not_found') {
    return (
      <>
        <h1>Not registered</h1>
        <Notice tone="warn">
          There is no {KINDS[part].one} {id}: it was never registered, or it was retired.{' '}
          {mayChange && <Link href={`/registry/${part}/new?id=${id}`}>Register it</Link>}
        </Notice>
      </>
    );
  }
  if (!data) return error ? <Fault fault={error} onRetry={() => void refetch()} what="The entry" /> : <Loading lines={6} />;
  return <Edit part={part} id={id} before={{ ...data }} />;
}

function Edit({ part, id, before }: { readonly part: Part; readonly id: string; readonly before: Record<string, unknown> | null }) {
  const mayChange = useMay('change');
  const [, navigate] = useLocation();
  const { put: putName, id: idName } = CALLS[part];
  const put = useChange(putName as 'PUT /api/v1/stores/{store_id}');
  const [saved, setSaved] = useState(false);
  const [retiring, setRetiring] = useState(false);
  const { one } = KINDS[part];
  const name = typeof before?.name === 'string' ? before.name : null;
  const save = (chosenId: string, fields: Fields): void => {
    setSaved(false);
    put.mutate(
      { path: { [idName]: chosenId } as { store_id: string }, body: fields as never },
      {
        onSuccess: () => {
          if (before === null) navigate(`/registry/${part}/${chosenId}`);
          else setSaved(true);
        },
      },
    );
  };
  return (
    <>
      <PageHead
        title={before === null ? `Add a ${one}` : <bdi>{name ?? `${one[0]?.toUpperCase()}${one.slice(1)} ${shortId(id)}`}</bdi>}
        actions={
          <>
            {part === 'devices' && before !== null && (
              <Link href={`/devices/${id}`} className="button">
                Keys and activity
              </Link>
            )}
            {mayChange && before !== null && (
              <button type="button" className="danger" onClick={() => setRetiring(true)}>
                Retire …
              </button>
            )}
          </>
        }
      >
        <Link href={`/registry/${part}`}>All {KINDS[part].title.toLowerCase()}</Link> · <span className="mono">{id}</span>
      </PageHead>
      {saved && <Notice tone="good">Saved. It counts for what is received from now on.</Notice>}
      <Card>
        <EntryForm
          key={`${id} ${String(saved)}`}
          part={part}
          id={id}
          isNew={before === null}
          initial={toFields(part, before)}
          readOnly={!mayChange}
          busy={put.isPending}
          fault={put.error}
          onSave={save}
        />
      </Card>
      {retiring && <Retire part={part} id={id} onClose={() => setRetiring(false)} />}
    </>
  );
}

const RETIRED: Readonly<Record<Part, string>> = {
  stores: 'The screens that stand in it become inactive from then on.',
  devices: 'Whatever it plays from then on is refused.',
  campaigns: 'Plays that end after it are refused.',
  contents: 'Plays of it count as content outside the catalogue.',
};

function Retire({ part, id, onClose }: { readonly part: Part; readonly id: string; readonly onClose: () => void }) {
  const { retire: name, id: idName } = CALLS[part];
  const retire = useChange(name as 'DELETE /api/v1/stores/{store_id}');
  const [, navigate] = useLocation();
  const [typed, setTyped] = useState('');
  const word = shortId(id);
  const fault: ApiFault | null = retire.error;
  return (
    <Dialog title={`Retire this ${KINDS[part].one}?`} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          retire.mutate({ path: { [idName]: id } as { store_id: string } }, { onSuccess: () => navigate(`/registry/${part}`) });
        }}
      >
        <Notice tone="warn">
          {RETIRED[part]} It cannot be taken back, and its id is never used again. What was played before stays as it is.
        </Notice>
        <label>
          Type <strong className="mono">{word}</strong> to go on
          <input value={typed} onChange={({ target }) => setTyped(target.value)} autoComplete="off" maxLength={40} />
        </label>
        {fault && <Fault fault={fault} />}
        <div className="actions">
          <button type="submit" className="danger" disabled={typed.trim() !== word || retire.isPending}>
            Retire
          </button>
          <button type="button" onClick={onClose}>
            Keep it
          </button>
        </div>
      </form>
    </Dialog>
  );
}
