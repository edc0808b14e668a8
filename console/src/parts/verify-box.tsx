import { useState } from 'react';
import { useSession } from '../session/session.tsx';
import { obstacle, type Evidence, type Verification, verify, withOneByteChanged } from '../verify/verify.ts';
import { Badge, Card, Notice } from './basics.tsx';

/** Verifies on this computer. Nothing is sent for it. */
export function VerifyBox({ evidence }: { readonly evidence: Evidence }) {
  const [result, setResult] = useState<(Verification & { readonly tampered: boolean }) | null>(null);
  const { rules } = useSession();
  const [busy, setBusy] = useState(false);
  const hindrance = obstacle();
  const run = async (tampered: boolean): Promise<void> => {
    setBusy(true);
    setResult({ ...(await verify(tampered ? withOneByteChanged(evidence) : evidence, rules)), tampered });
    setBusy(false);
  };
  return (
    <Card title="Verify here" className="verify no-print">
      {hindrance === null ? (
        <p>Your browser computes the hash and checks the signature itself, on the bytes that the screen signed. It asks nobody.</p>
      ) : (
        <Notice tone="warn">{hindrance}</Notice>
      )}
      <div className="actions">
        <button type="button" className="primary" disabled={hindrance !== null || busy} onClick={() => void run(false)}>
          Verify here
        </button>
        <button type="button" disabled={hindrance !== null || busy} onClick={() => void run(true)}>
          Change one byte and verify
        </button>
      </div>
      <div aria-live="polite">
        {result && (
          <div className={`verdict tone-${result.ok ? 'good' : 'bad'}`} data-verdict={result.ok ? 'yes' : 'no'}>
            <p className="verdict-word">{result.ok ? 'Yes: this play is proven.' : 'No: this is not what the screen signed.'}</p>
            {result.tampered && (
              <p>One bit of one signed byte was turned in your browser, to show what happens then. The evidence itself is untouched.</p>
            )}
            <ul className="checklist">
              {result.checks.map(({ name, ok, saw }) => (
                <li key={name}>
                  <Badge tone={ok ? 'good' : 'bad'}>{name}</Badge> <span className="wrap">{saw}</span>
                </li>
              ))}
            </ul>
            {result.keyFingerprint !== null && (
              <p className="hint wrap">
                Fingerprint of the key (SHA-256): <span className="mono">{result.keyFingerprint}</span>. Compare it with the one on the
                screen, if you doubt that the key is the screen’s.
              </p>
            )}
          </div>
        )}
      </div>
    </Card>
  );
}
