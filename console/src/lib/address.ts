/** The state of a page, kept in its address: deep links can be shared, and back works. */
import { useCallback } from 'react';
import { useSearchParams } from 'wouter';

type Change = Readonly<Record<string, string | readonly string[] | null>>;

/** The parameters of the address, and a way to change some of them; null takes one away. */
export function useAddress(): readonly [URLSearchParams, (change: Change, options?: { readonly replace?: boolean }) => void] {
  const [parameters, setParameters] = useSearchParams();
  const change = useCallback(
    (changes: Change, options: { readonly replace?: boolean } = {}) => {
      setParameters((before) => changed(before, changes), { replace: options.replace ?? false });
    },
    [setParameters],
  );
  return [parameters, change];
}

export function changed(before: URLSearchParams, changes: Change): URLSearchParams {
  const next = new URLSearchParams(before);
  for (const [name, value] of Object.entries(changes)) {
    next.delete(name);
    for (const one of value === null ? [] : [value].flat()) next.append(name, one);
  }
  return next;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export function isUuid(text: string): boolean {
  return UUID.test(text) && !/^[0-]+$/.test(text);
}

/** Works on plain HTTP too, where `crypto.randomUUID` does not exist. */
export function newUuid(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
