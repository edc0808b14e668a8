/** The keys of a device: their validity, adding the next one, and revoking. A key is never deleted or changed in place. */
import { type FormEvent, useState } from 'react';
import type { Answer } from '../api/client.ts';
import { useChange } from '../api/queries.ts';
import { serverNow } from '../lib/clock.ts';
import { VIEWER_ZONE, when } from '../lib/format.ts';
import { fromLocal, toLocal } from '../lib/span.ts';
import { Badge, Card, Fault, Notice } from '../parts/basics.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { Field, FieldFaults } from '../parts/form.tsx';
import { type Column, Table } from '../parts/table.tsx';
import { useMay } from '../session/session.tsx';

type Key = Answer<'GET /api/v1/devices/{device_id}'>['keys'][number];

export function DeviceKeys({ deviceId, keys }: { readonly deviceId: string; readonly keys: readonly Key[] }) {
  const change = useMay('change');
  const [adding, setAdding] = useState(false);
  const [revoking, setRevoking] = useState<Key | null>(null);
  const columns: readonly Column<Key>[] = [
    { key: 'id', head: 'Key', cell: ({ key_id: id }) => <bdi className="mono">{id}</bdi> },
    { key: 'algorithm', head: 'Algorithm', cell: ({ algorithm }) => algorithm },
    { key: 'from', head: 'Valid from', cell: ({ valid_from: from }) => (from ? when(from) : 'the beginning') },
    { key: 'until', head: 'Valid until', cell: ({ valid_until: until }) => (until ? when(until) : 'further notice') },
    { key: 'state', head: 'State', cell: (key) => <KeyState entry={key} /> },
    ...(change
      ? [
          {
            key: 'revoke',
            head: 'Revoke',
            cell: (key: Key) => (
              <button
                type="button"
                className="danger"
                onClick={() => setRevoking(key)}
                disabled={Boolean(key.compromised_at)}
                aria-label={`Revoke the key ${key.key_id}`}
              >
                Revoke …
              </button>
            ),
          },
        ]
      : []),
  ];
  return (
    <Card
      title="Keys"
      actions={
        change && (
          <button type="button" onClick={() => setAdding(true)}>
            Add the next key …
          </button>
        )
      }
    >
      <Table
        caption="Keys of the device"
        columns={columns}
        rows={keys}
        rowKey={({ key_id: id }) => id}
        empty="It has no key: everything it sends is refused with unknown_key."
      />
      {adding && <AddKey deviceId={deviceId} keys={keys} onClose={() => setAdding(false)} />}
      {revoking && <RevokeKey deviceId={deviceId} entry={revoking} onClose={() => setRevoking(null)} />}
    </Card>
  );
}

function KeyState({ entry }: { readonly entry: Key }) {
  const now = serverNow();
  if (entry.compromised_at) return <Badge tone="bad">compromised</Badge>;
  if (entry.valid_until && Date.parse(entry.valid_until) <= now) return <Badge tone="plain">ended</Badge>;
  if (entry.valid_from && Date.parse(entry.valid_from) > now) return <Badge tone="plain">not yet</Badge>;
  return <Badge tone="good">valid</Badge>;
}

function AddKey({ deviceId, keys, onClose }: { readonly deviceId: string; readonly keys: readonly Key[]; readonly onClose: () => void }) {
  const add = useChange('POST /api/v1/devices/{device_id}/keys');
  const [keyId, setKeyId] = useState(`key-${keys.length + 1}`);
  const [algorithm, setAlgorithm] = useState<Key['algorithm']>(keys.at(-1)?.algorithm ?? 'RS256');
  const [pem, setPem] = useState('');
  const [from, setFrom] = useState('');
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    const start = from === '' ? null : fromLocal(from, VIEWER_ZONE);
    add.mutate(
      {
        path: { device_id: deviceId },
        body: { key_id: keyId, algorithm, public_key: pem.trim(), ...(start !== null && { valid_from: new Date(start).toISOString() }) },
      },
      { onSuccess: onClose },
    );
  };
  return (
    <Dialog title="Add the next key" onClose={onClose}>
      <form onSubmit={submit} noValidate>
        <p>
          The old key stays valid beside it: plays that wait on the screen are still signed by it. Revoke the old one when the screen has
          the new one.
        </p>
        <FieldFaults fault={add.error}>
          <Field name="/key_id" label="Name of the key" hint="Among those of this device, up to 64 characters.">
            <input value={keyId} onChange={({ target }) => setKeyId(target.value)} maxLength={64} required />
          </Field>
          <Field name="/algorithm" label="Algorithm">
            <select value={algorithm} onChange={({ target }) => setAlgorithm(target.value === 'PS256' ? 'PS256' : 'RS256')}>
              <option>RS256</option>
              <option>PS256</option>
            </select>
          </Field>
          <Field name="/public_key" label="Public key (PEM)" hint="RSA, 2048 to 4096 bits, beginning with -----BEGIN PUBLIC KEY-----">
            <textarea
              rows={8}
              className="mono"
              value={pem}
              onChange={({ target }) => setPem(target.value)}
              spellCheck={false}
              maxLength={4096}
              required
            />
          </Field>
          <Field name="/valid_from" label="Valid from" hint={`Empty: from the beginning. In your time (${VIEWER_ZONE}).`}>
            <input type="datetime-local" value={from} onChange={({ target }) => setFrom(target.value)} />
          </Field>
        </FieldFaults>
        <div className="actions">
          <button type="submit" className="primary" disabled={add.isPending}>
            Add the key
          </button>
          <button type="button" onClick={onClose}>
            Cancel
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function RevokeKey({ deviceId, entry, onClose }: { readonly deviceId: string; readonly entry: Key; readonly onClose: () => void }) {
  const revoke = useChange('POST /api/v1/devices/{device_id}/keys/{key_id}/revoke');
  const [compromised, setCompromised] = useState(false);
  const [at, setAt] = useState('');
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    const end = at === '' ? null : fromLocal(at, VIEWER_ZONE);
    revoke.mutate(
      {
        path: { device_id: deviceId, key_id: entry.key_id },
        body: { ...(compromised && { compromised }), ...(end !== null && { at: new Date(end).toISOString() }) },
      },
      { onSuccess: onClose },
    );
  };
  return (
    <Dialog title={`Revoke ${entry.key_id}?`} onClose={onClose}>
      <form onSubmit={submit} noValidate>
        <Notice tone="warn">This cannot be taken back. Plays that ended after it are refused with key_not_valid.</Notice>
        <FieldFaults fault={revoke.error}>
          <Field
            name="/at"
            label="Its end"
            hint={`Empty: now, ${when(serverNow())}. It can be earlier, never later than it ended already.`}
          >
            <input
              type="datetime-local"
              value={at}
              max={toLocal(serverNow(), VIEWER_ZONE)}
              onChange={({ target }) => setAt(target.value)}
            />
          </Field>
          <label className="check">
            <input type="checkbox" checked={compromised} onChange={({ target }) => setCompromised(target.checked)} />
            <span>
              It is compromised: believe nothing of it that is <em>received</em> from then on, whatever time it claims. A thief can
              back-date.
            </span>
          </label>
        </FieldFaults>
        {revoke.error && !revoke.error.problem?.fields && <Fault fault={revoke.error} />}
        <div className="actions">
          <button type="submit" className="danger" disabled={revoke.isPending}>
            Revoke the key
          </button>
          <button type="button" onClick={onClose}>
            Keep it
          </button>
        </div>
      </form>
    </Dialog>
  );
}
