import { type FormEvent, useState } from 'react';
import type { ApiFault } from '../api/client.ts';
import { useCall } from '../api/queries.ts';
import { isUuid } from '../lib/address.ts';
import { shortId, VIEWER_ZONE } from '../lib/format.ts';
import { fromLocal } from '../lib/span.ts';
import { Field, FieldFaults } from '../parts/form.tsx';
import type { Part } from './registry.tsx';

/** What is sent: the body of the PUT. */
export type Fields = Record<string, unknown>;
/** What stands in the inputs, as text. */
type Texts = Readonly<Record<string, string>>;

interface Input {
  readonly name: string;
  /** The JSON Pointer of the member. */
  readonly pointer: string;
  readonly label: string;
  readonly hint?: string;
  readonly kind?: 'number' | 'store' | 'active' | 'instant';
  readonly required?: boolean;
}

const INPUTS: Readonly<Record<Part, readonly Input[]>> = {
  stores: [
    { name: 'name', pointer: '/name', label: 'Name', required: true, hint: 'For people; at most 200 characters.' },
    {
      name: 'supplier_id',
      pointer: '/supplier_id',
      label: 'Supplier',
      required: true,
      hint: 'The id of who owns the store and its screens, and is paid.',
    },
    { name: 'lat', pointer: '/location/lat', label: 'Latitude', kind: 'number', required: true, hint: 'Degrees north, -90 to 90.' },
    { name: 'lng', pointer: '/location/lng', label: 'Longitude', kind: 'number', required: true, hint: 'Degrees east, -180 to 180.' },
    { name: 'region', pointer: '/region', label: 'Region', hint: 'Reports can be grouped by it. May stay empty.' },
    { name: 'time_zone', pointer: '/time_zone', label: 'Time zone', hint: 'IANA name, such as Asia/Ho_Chi_Minh. May stay empty.' },
  ],
  devices: [
    { name: 'store_id', pointer: '/store_id', label: 'Store', kind: 'store', required: true },
    { name: 'active', pointer: '/active', label: 'State', kind: 'active' },
    {
      name: 'since',
      pointer: '/since',
      label: 'Counts from',
      kind: 'instant',
      hint: `Empty: from now. In your time (${VIEWER_ZONE}). A device’s first assignment has no beginning.`,
    },
  ],
  campaigns: [
    { name: 'name', pointer: '/name', label: 'Name', hint: 'For people; at most 200 characters.' },
    { name: 'advertiser_id', pointer: '/advertiser_id', label: 'Advertiser', required: true, hint: 'The id of who made it and pays.' },
  ],
  contents: [
    { name: 'name', pointer: '/name', label: 'Name', hint: 'For people; at most 200 characters.' },
    {
      name: 'duration',
      pointer: '/duration',
      label: 'Duration (seconds)',
      kind: 'number',
      required: true,
      hint: 'At most three decimals. A play of it must expect exactly this.',
    },
  ],
};

export function toFields(part: Part, entry: Record<string, unknown> | null): Texts {
  const location = (entry?.location ?? {}) as Record<string, unknown>;
  const texts: Record<string, string> = {};
  for (const { name, kind } of INPUTS[part]) {
    const value = name === 'lat' || name === 'lng' ? location[name] : entry?.[name];
    texts[name] =
      kind === 'active'
        ? value === false
          ? 'false'
          : 'true'
        : kind === 'instant' || value === null || value === undefined
          ? ''
          : shown(value);
  }
  return texts;
}

function shown(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** Left out where empty: the service says which of them it misses, in its own words and at the field. */
function toBody(part: Part, texts: Texts): Fields {
  const body: Fields = {};
  for (const { name, pointer, kind } of INPUTS[part]) {
    const text = (texts[name] ?? '').trim();
    if (text === '') continue;
    const instant = kind === 'instant' ? fromLocal(text, VIEWER_ZONE) : null;
    // A number that cannot be read goes as the text it is, so that the service's word on it appears at the field.
    const number = Number(text.replace(',', '.'));
    const value =
      kind === 'number'
        ? Number.isFinite(number)
          ? number
          : text
        : kind === 'active'
          ? text === 'true'
          : instant !== null
            ? new Date(instant).toISOString()
            : text;
    if (pointer.startsWith('/location/')) body.location = { ...(body.location as object | undefined), [name]: value };
    else body[name] = value;
  }
  return body;
}

interface Props {
  readonly part: Part;
  readonly id: string;
  readonly isNew: boolean;
  readonly initial: Texts;
  readonly readOnly: boolean;
  readonly busy: boolean;
  readonly fault: ApiFault | null;
  readonly onSave: (id: string, fields: Fields) => void;
}

export function EntryForm({ part, id, isNew, initial, readOnly, busy, fault, onSave }: Props) {
  const [texts, setTexts] = useState(initial);
  const [chosenId, setChosenId] = useState(id);
  const set = (name: string, value: string): void => setTexts((before) => ({ ...before, [name]: value }));
  const idWrong = isNew && !isUuid(chosenId.trim());
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (!idWrong) onSave(chosenId.trim().toLowerCase(), toBody(part, texts));
  };
  return (
    <form onSubmit={submit} noValidate className="entry-form">
      <FieldFaults fault={fault}>
        {isNew && (
          <Field
            name="id"
            label="Id"
            hint={
              idWrong
                ? 'It must be a UUID: 36 characters, like 0192f0c1-….'
                : 'A UUID; this one was made just now. Take yours where you have one. It can never be changed or used again.'
            }
          >
            <input className="mono" value={chosenId} onChange={({ target }) => setChosenId(target.value)} maxLength={60} />
          </Field>
        )}
        {INPUTS[part].map((input) => (
          <Field
            key={input.name}
            name={input.pointer}
            label={input.required ? input.label : `${input.label} (optional)`}
            {...(input.hint !== undefined && { hint: input.hint })}
          >
            {inputOf(input, texts[input.name] ?? '', readOnly, (value) => set(input.name, value))}
          </Field>
        ))}
        {part === 'devices' && !readOnly && <StorePicker onPick={(storeId) => set('store_id', storeId)} />}
      </FieldFaults>
      {!readOnly && (
        <div className="actions">
          <button type="submit" className="primary" disabled={busy || idWrong}>
            {busy ? 'Saving …' : isNew ? 'Register' : 'Save'}
          </button>
        </div>
      )}
    </form>
  );
}

function inputOf({ kind, required }: Input, value: string, readOnly: boolean, onChange: (value: string) => void) {
  const shared = { value, disabled: readOnly, onChange: ({ target }: { target: { value: string } }) => onChange(target.value) };
  if (kind === 'active') {
    return (
      <select {...shared}>
        <option value="true">active: its plays count</option>
        <option value="false">switched off: its plays are refused</option>
      </select>
    );
  }
  if (kind === 'instant') return <input type="datetime-local" {...shared} />;
  return (
    <input
      type="text"
      {...shared}
      inputMode={kind === 'number' ? 'decimal' : 'text'}
      maxLength={1_100}
      aria-required={required ?? false}
      autoComplete="off"
      dir="auto"
    />
  );
}

/** Finds a store by name; the field above takes its id. */
function StorePicker({ onPick }: { readonly onPick: (id: string) => void }) {
  const [text, setText] = useState('');
  const { data } = useCall('GET /api/v1/search', { query: { kind: 'store', q: text, limit: '6' } }, { enabled: text.trim() !== '' });
  return (
    <div className="field">
      <label htmlFor="store-search">Find a store by name</label>
      <input id="store-search" type="search" value={text} onChange={({ target }) => setText(target.value)} maxLength={200} />
      {text.trim() !== '' && (
        <ul className="choices">
          {data?.items.map(({ id, name, region }) => (
            <li key={id}>
              <button
                type="button"
                onClick={() => {
                  onPick(id);
                  setText('');
                }}
              >
                <bdi>{name ?? shortId(id)}</bdi> <span className="quiet-text">{region ?? ''}</span>
              </button>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
