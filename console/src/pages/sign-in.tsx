import { type FormEvent, useState } from 'react';
import { ApiFault } from '../api/client.ts';
import { Notice, useTitle } from '../parts/basics.tsx';
import { useAccess } from '../session/session.tsx';

export function SignInPage({ reason }: { readonly reason: string | null }) {
  useTitle('Sign in');
  const { enter, demo } = useAccess();
  const [token, setToken] = useState('');
  const [busy, setBusy] = useState(false);
  const [fault, setFault] = useState<string | null>(null);
  const tryToken = async (given: string): Promise<void> => {
    setBusy(true);
    try {
      await enter(given);
    } catch (error) {
      const known = error instanceof ApiFault ? error : null;
      setFault(
        known?.code === 'unauthorized'
          ? 'This token is not known here. Look for one that is, or ask your administrator for a new one.'
          : (known?.message ?? String(error)),
      );
      setBusy(false);
    }
  };
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    const given = token.trim();
    if (!/^[\x21-\x7e]{32,256}$/.test(given)) setFault('A token has 32 to 256 letters, digits and signs, without spaces.');
    else void tryToken(given);
  };
  return (
    <main className="sign-in">
      <img src="/console/mark.svg" alt="" width="56" height="56" />
      <h1>Playproof</h1>
      <p className="lead">See every play, and check it yourself.</p>
      {reason !== null && <Notice tone="warn">{reason}</Notice>}
      <form onSubmit={submit}>
        <label htmlFor="token">Access token</label>
        <input
          id="token"
          type="password"
          autoComplete="off"
          spellCheck={false}
          value={token}
          maxLength={300}
          aria-invalid={fault !== null}
          aria-describedby={fault === null ? 'token-hint' : 'token-fault'}
          onChange={({ target }) => setToken(target.value)}
        />
        {fault !== null && (
          <p id="token-fault" className="field-fault" role="alert">
            {fault}
          </p>
        )}
        <p id="token-hint" className="hint">
          The administrator’s is printed at the first start; <code>npx playproof token create</code> makes others. It stays in this tab and
          is gone when you close it.
        </p>
        <button type="submit" className="primary" disabled={busy}>
          {busy ? 'Signing in …' : 'Sign in'}
        </button>
      </form>
      {demo.length > 0 && (
        <div className="demo-tokens">
          <p>This is a demonstration. Look at it as</p>
          {demo.map(({ label, token: offered }) => (
            <button key={offered} type="button" onClick={() => void tryToken(offered)} disabled={busy}>
              {label}
            </button>
          ))}
        </div>
      )}
    </main>
  );
}
