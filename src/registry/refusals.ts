/** Refusals of the registry, worded once for every backend. */
import { formatInstant } from '../domain/timestamp.ts';
import { Problem } from '../server/problem.ts';
import type { Kind } from './registry.ts';

export function retired(kind: Kind, id: string): Problem {
  return new Problem('id_retired', `The ${kind} ${id} was retired, and its id is never used again; register it under a new id.`);
}

/** @param field JSON Pointer of the field that names the store. */
export function unknownStore(storeId: string, isRetired: boolean, field: string): Problem {
  return new Problem('unknown_store', `The store ${storeId} is ${isRetired ? 'retired' : 'not registered'}; register the store first.`, {
    fields: [field],
  });
}

export function noDevice(deviceId: string): Problem {
  return new Problem('not_found', `The device ${deviceId} is not registered; register it first.`);
}

export function noKey(keyId: string): Problem {
  return new Problem('not_found', `The device has no key "${keyId}"; its keys are listed with it.`);
}

export function notTheNewest(latest: number): Problem {
  return new Problem(
    'invalid_field',
    `The latest change of this device is registered from ${formatInstant(latest)} on and history is not rewritten; give a "since" after that.`,
    { fields: ['/since'] },
  );
}

export function busy(): Problem {
  return new Problem('unavailable', 'The registry is being written by somebody else; send again.', { retryAfter: 1 });
}

export function importing(): Problem {
  return new Problem('overloaded', 'Another import is running; send this one when it is done.', { retryAfter: 5 });
}
