import { type FormEvent, type ReactNode, useEffect, useRef, useState } from 'react';
import { Link, useLocation } from 'wouter';
import { isUuid } from '../lib/address.ts';
import { clockOffset } from '../lib/clock.ts';
import { duration, shortId } from '../lib/format.ts';
import { useAccess, useMay, useSession } from '../session/session.tsx';
import { applyTheme, currentTheme, type Theme, THEMES } from '../session/theme.ts';
import { Notice } from './basics.tsx';

const SKEW_WORTH_SAYING_MS = 60_000;

export function Layout({ children }: { readonly children: ReactNode }) {
  const [open, setOpen] = useState(false);
  const [location] = useLocation();
  useEffect(() => setOpen(false), [location]);
  const off = clockOffset();
  return (
    <div className="frame">
      <a className="skip" href="#main">
        To the content
      </a>
      <div className="bar no-print">
        <Link href="/" className="brand">
          <img src="/console/mark.svg" alt="" width="28" height="28" /> Playproof
        </Link>
        <button type="button" className="menu-button" aria-expanded={open} aria-controls="menu" onClick={() => setOpen(!open)}>
          {open ? 'Close' : 'Menu'}
        </button>
      </div>
      <div id="menu" className={open ? 'side no-print open' : 'side no-print'}>
        <Menu />
      </div>
      <main id="main" tabIndex={-1}>
        {Math.abs(off) > SKEW_WORTH_SAYING_MS && (
          <Notice tone="warn" title="This computer’s clock is wrong.">
            It is {duration(Math.round(Math.abs(off) / 1000))} {off > 0 ? 'behind' : 'ahead of'} the service. “Now” on these pages is the
            service’s.
          </Notice>
        )}
        {children}
      </main>
    </div>
  );
}

function Menu() {
  const all = useMay('see-all');
  const pages = [
    ...(all ? [{ href: '/', name: 'Live' }] : []),
    { href: '/plays', name: 'Proof of play' },
    { href: '/devices', name: 'Devices' },
    { href: '/quarantine', name: 'Quarantine' },
    ...(all ? [{ href: '/registry/stores', name: 'Registry', under: '/registry' }] : []),
    { href: '/verify', name: 'Verify a file' },
  ];
  const [location] = useLocation();
  return (
    <>
      <nav aria-label="Pages">
        <ul>
          {pages.map(({ href, name, under = href }) => (
            <li key={href}>
              <Link href={href} aria-current={isHere(location, under) ? 'page' : undefined}>
                {name}
              </Link>
            </li>
          ))}
        </ul>
      </nav>
      <FindPlay />
      <Who />
    </>
  );
}

function isHere(location: string, under: string): boolean {
  return under === '/' ? location === '/' : location === under || location.startsWith(`${under}/`);
}

function FindPlay() {
  const [, navigate] = useLocation();
  const [fault, setFault] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    const id = input.current?.value.trim() ?? '';
    setFault(!isUuid(id));
    if (isUuid(id)) navigate(`/plays/${id.toLowerCase()}`);
  };
  return (
    <form className="find" onSubmit={submit} role="search">
      <label htmlFor="find-play">Find a play</label>
      <input
        ref={input}
        id="find-play"
        type="search"
        placeholder="log_id"
        maxLength={60}
        aria-invalid={fault}
        aria-describedby={fault ? 'find-fault' : undefined}
      />
      {fault && (
        <span id="find-fault" className="field-fault" role="alert">
          A log_id has 36 characters, like 0192f0c1-….
        </span>
      )}
    </form>
  );
}

const ROLE_NAMES = { admin: 'Administrator', operator: 'Operator', supplier: 'Supplier', advertiser: 'Advertiser' } as const;

function Who() {
  const { leave, demo, enter } = useAccess();
  const session = useSession();
  const [theme, setTheme] = useState<Theme>(currentTheme);
  const owner = session.supplier_id ?? session.advertiser_id;
  return (
    <div className="who">
      <p>
        Signed in as <strong>{ROLE_NAMES[session.role]}</strong>
        {owner !== null && (
          <span className="mono" title={owner}>
            {' '}
            {shortId(owner)}
          </span>
        )}
      </p>
      {demo.length > 1 && (
        <label>
          Look as
          <select value="" onChange={({ target }) => void enter(target.value)}>
            <option value="">choose …</option>
            {demo.map(({ label, token }) => (
              <option key={token} value={token}>
                {label}
              </option>
            ))}
          </select>
        </label>
      )}
      <label>
        Colours
        <select
          value={theme}
          onChange={({ target }) => {
            const chosen = THEMES.find((one) => one === target.value) ?? 'auto';
            applyTheme(chosen);
            setTheme(chosen);
          }}
        >
          <option value="auto">as the system</option>
          <option value="light">light</option>
          <option value="dark">dark</option>
        </select>
      </label>
      <button type="button" className="quiet" onClick={() => leave()}>
        Sign out
      </button>
      <a href="/docs">API</a>
    </div>
  );
}
