/** What the registry takes and answers over HTTP and in an import, as schemas. `wire.ts` reads and writes it. */
import { Type } from 'typebox';
import { Instant, Nullable, Uuid } from '../server/schemas.ts';

const closed = { additionalProperties: false } as const;
/** Text without control characters; TypeBox counts characters, not UTF-16 units. */
const text = (maxLength: number, description: string) =>
  Type.String({ minLength: 1, maxLength, pattern: '^[^\\u0000-\\u001f\\u007f]*$', description });

const Name = text(200, 'For people; at most 200 characters');
export const KeyId = text(64, 'Names the key among those of its device');

const Location = Type.Object(
  {
    lat: Type.Number({ minimum: -90, maximum: 90, description: 'Degrees north' }),
    lng: Type.Number({ minimum: -180, maximum: 180, description: 'Degrees east' }),
  },
  closed,
);

const storeFields = {
  name: Name,
  supplier_id: Uuid,
  location: Location,
  region: Type.Optional(Nullable(text(100, 'Reports can be grouped by it'))),
  time_zone: Type.Optional(Nullable(text(64, 'IANA name, such as Asia/Ho_Chi_Minh'))),
};
export const StoreBody = Type.Object(storeFields, closed);
export const StoreObject = Type.Object({ store_id: Uuid, ...storeFields }, closed);

const assignmentFields = {
  store_id: Uuid,
  active: Type.Optional(Type.Boolean({ description: 'Whether plays of the device count (true)' })),
  since: Type.Optional(Nullable(Instant)),
};
const AssignmentObject = Type.Object(assignmentFields, closed);
export const DeviceBody = Type.Object(
  {
    ...assignmentFields,
    since: Type.Optional(
      Nullable({
        ...Instant,
        description: 'From when a change counts (now). The first assignment of a device has no beginning, whatever is said here',
      }),
    ),
  },
  closed,
);

const keyFields = {
  key_id: KeyId,
  algorithm: Type.Enum(['RS256', 'PS256']),
  public_key: Type.String({ minLength: 1, maxLength: 4_096, description: 'SPKI PEM: RSA of 2048 to 4096 bits with e = 65537' }),
  valid_from: Type.Optional(Nullable(Instant)),
  valid_until: Type.Optional(Nullable(Instant)),
};
export const KeyBody = Type.Object(keyFields, closed);
export const KeyObject = Type.Object({ ...keyFields, compromised_at: Type.Optional(Nullable(Instant)) }, closed);
export const RevokeBody = Type.Object(
  {
    at: Type.Optional(Nullable({ ...Instant, description: 'When the key ends (now); never later than it ended already' })),
    compromised: Type.Optional(
      Type.Boolean({ description: 'Nothing received from `at` on is believed any more, whatever time of play it claims' }),
    ),
  },
  closed,
);

export const DeviceObject = Type.Object(
  {
    device_id: Uuid,
    ...assignmentFields,
    assignments: Type.Array(AssignmentObject, { description: 'The history, oldest first; the last is the one shown above' }),
    keys: Type.Array(KeyObject),
  },
  closed,
);
/** A device in an import: with `store_id`, with `assignments`, or with both where they agree. */
export const DeviceImport = Type.Object(
  {
    device_id: Uuid,
    store_id: Type.Optional(Uuid),
    active: assignmentFields.active,
    since: assignmentFields.since,
    assignments: Type.Optional(Type.Array(AssignmentObject, { minItems: 1 })),
    keys: Type.Optional(Type.Array(KeyObject)),
  },
  closed,
);
export const KeyImport = Type.Object({ device_id: Uuid, ...keyFields, compromised_at: KeyObject.properties.compromised_at }, closed);

const campaignFields = { advertiser_id: Uuid, name: Type.Optional(Nullable(Name)) };
export const CampaignBody = Type.Object(campaignFields, closed);
export const CampaignObject = Type.Object({ campaign_id: Uuid, ...campaignFields }, closed);

const contentFields = {
  duration: Type.Number({ exclusiveMinimum: 0, maximum: 86_400, description: 'Seconds with at most three decimals' }),
  name: Type.Optional(Nullable(Name)),
};
export const ContentBody = Type.Object(contentFields, closed);
export const ContentObject = Type.Object({ content_id: Uuid, ...contentFields }, closed);

export const ImportAnswer = Type.Object({
  stores: Type.Integer(),
  devices: Type.Integer(),
  keys: Type.Integer(),
  campaigns: Type.Integer(),
  contents: Type.Integer(),
});
