import { keepPreviousData, QueryClient, useMutation, useQuery, useQueryClient, type UseQueryResult } from '@tanstack/react-query';
import { type Answer, ApiFault, call, type CallName, type Input } from './client.ts';

const STALE_MS = 5_000;
const TRIES = 2;

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: STALE_MS,
      refetchOnWindowFocus: false,
      placeholderData: keepPreviousData,
      retry: (count, error) => count < TRIES && error instanceof ApiFault && error.retryable && error.code !== 'not_settled',
      retryDelay: (count, error) =>
        Math.min(5_000, (error instanceof ApiFault && error.retryAfter !== null ? error.retryAfter : 2 ** count) * 1000),
    },
  },
});

export interface CallOptions {
  readonly enabled?: boolean;
  /** Milliseconds; false: not by itself. */
  readonly every?: number | false;
  readonly staleMs?: number;
  /** What was shown before is not shown while this loads. */
  readonly fresh?: boolean;
}

export function useCall<K extends CallName>(name: K, input: Input<K>, options: CallOptions = {}): UseQueryResult<Answer<K>, ApiFault> {
  return useQuery<Answer<K>, ApiFault>({
    queryKey: [name, input],
    queryFn: ({ signal }) => call(name, input, signal),
    enabled: options.enabled ?? true,
    refetchInterval: options.every ?? false,
    ...(options.staleMs !== undefined && { staleTime: options.staleMs }),
    ...(options.fresh && { placeholderData: () => undefined }),
  });
}

/** A change. What was read before is read again when it is done. */
export function useChange<K extends CallName>(name: K) {
  const client = useQueryClient();
  return useMutation<Answer<K>, ApiFault, Input<K>>({
    mutationFn: (input) => call(name, input),
    onSuccess: () => client.invalidateQueries(),
  });
}

type Kind = 'store' | 'device' | 'campaign' | 'content';

const NAMES_STALE_MS = 60_000;

export interface Named {
  readonly id: string;
  readonly name: string | null;
  readonly region?: string | null;
  readonly time_zone?: string | null;
}

/** Names by id, of what the token may see. Empty while they load: ids are shown until then. */
export function useNames(kind: Kind, enabled = true): ReadonlyMap<string, Named> {
  const { data } = useQuery({
    queryKey: ['GET /api/v1/names', kind],
    queryFn: ({ signal }) => call('GET /api/v1/names', { query: { kind } }, signal),
    staleTime: NAMES_STALE_MS,
    enabled,
    select: toMap,
  });
  return data ?? NOTHING;
}

const NOTHING: ReadonlyMap<string, Named> = new Map();

function toMap({ items }: Answer<'GET /api/v1/names'>): ReadonlyMap<string, Named> {
  return new Map(items.map((item) => [item.id, item]));
}
