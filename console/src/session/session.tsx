/** Who looks: the token of this tab, and what the service says about it. */
import { createContext, type ReactNode, useCallback, useContext, useEffect, useMemo, useState } from 'react';
import { type Answer, ApiFault, call, presentToken } from '../api/client.ts';
import { queryClient } from '../api/queries.ts';
import { setServerTime } from '../lib/clock.ts';

export type Session = Answer<'GET /api/v1/session'>;
export type Role = Session['role'];

export interface DemoToken {
  readonly label: string;
  readonly role: string;
  readonly token: string;
}

export type SignIn =
  | { readonly state: 'looking' }
  | { readonly state: 'out'; readonly reason: string | null }
  | { readonly state: 'failed'; readonly fault: ApiFault }
  | { readonly state: 'in'; readonly session: Session };

interface Access {
  readonly signIn: SignIn;
  /** @throws ApiFault when the token is not taken. */
  readonly enter: (token: string) => Promise<void>;
  readonly leave: (reason?: string) => void;
  readonly again: () => void;
  /** Of a demonstration; otherwise empty. */
  readonly demo: readonly DemoToken[];
}

const Context = createContext<Access | null>(null);
const KEY = 'playproof-token';
const DEMO_LOOK_MS = 1_500;

export function SessionProvider({ children }: { readonly children: ReactNode }) {
  const [signIn, setSignIn] = useState<SignIn>({ state: 'looking' });
  const [demo, setDemo] = useState<readonly DemoToken[]>([]);

  const leave = useCallback((reason?: string) => {
    sessionStorage.removeItem(KEY);
    presentToken(null, () => {});
    queryClient.clear();
    setSignIn({ state: 'out', reason: reason ?? null });
  }, []);

  const enter = useCallback(
    async (token: string) => {
      presentToken(token, () => {});
      const session = await call('GET /api/v1/session', {});
      setServerTime(session.server_time);
      queryClient.clear();
      sessionStorage.setItem(KEY, token);
      presentToken(token, () => leave('The token is not taken any more: it was revoked, or the service was set up anew. Sign in again.'));
      setSignIn({ state: 'in', session });
    },
    [leave],
  );

  const again = useCallback(() => {
    setSignIn({ state: 'looking' });
    void begin(enter, leave, setDemo).catch((error: unknown) => setSignIn({ state: 'failed', fault: error as ApiFault }));
  }, [enter, leave]);

  useEffect(again, [again]);
  // A demonstration has its administrator at once, and the other roles when its fleet is registered.
  useEffect(() => {
    if (demo.length !== 1) return undefined;
    const timer = setInterval(() => void demoTokens().then(setDemo), DEMO_LOOK_MS);
    return () => clearInterval(timer);
  }, [demo.length]);
  const access = useMemo(() => ({ signIn, enter, leave, again, demo }), [signIn, enter, leave, again, demo]);
  return <Context value={access}>{children}</Context>;
}

async function begin(enter: Access['enter'], leave: Access['leave'], setDemo: (tokens: readonly DemoToken[]) => void): Promise<void> {
  const demo = await demoTokens();
  setDemo(demo);
  const token = sessionStorage.getItem(KEY) ?? demo[0]?.token ?? null;
  if (token === null) {
    leave();
    return;
  }
  try {
    await enter(token);
  } catch (error) {
    if (!(error instanceof ApiFault) || error.code !== 'unauthorized') throw error;
    const first = demo[0]?.token;
    // A service that was started anew has other tokens; a demonstration hands out its own.
    if (first !== undefined && first !== token) await enter(first);
    else leave('The token of this tab is not known here any more. Sign in again.');
  }
}

async function demoTokens(): Promise<readonly DemoToken[]> {
  try {
    const response = await fetch('/console/demo-tokens', { credentials: 'omit' });
    return response.ok ? ((await response.json()) as { tokens: DemoToken[] }).tokens : [];
  } catch {
    return [];
  }
}

export function useAccess(): Access {
  const access = useContext(Context);
  if (!access) throw new Error('useAccess is used outside of SessionProvider');
  return access;
}

/** Of somebody who is signed in. */
export function useSession(): Session {
  const { signIn } = useAccess();
  if (signIn.state !== 'in') throw new Error('useSession is used before signing in');
  return signIn.session;
}

/** Whether the role may: look at the whole network, change the registry. */
export function useMay(what: 'see-all' | 'change'): boolean {
  const { role } = useSession();
  return what === 'change' ? role === 'admin' : role === 'admin' || role === 'operator';
}
