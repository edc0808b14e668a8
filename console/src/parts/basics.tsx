/** Small pieces that every page uses. */
import { type ReactNode, useEffect, useId, useRef, useState } from 'react';
import { Link } from 'wouter';
import type { ApiFault } from '../api/client.ts';
import { shortId } from '../lib/format.ts';

export function PageHead({
  title,
  children,
  actions,
}: {
  readonly title: ReactNode;
  readonly children?: ReactNode;
  readonly actions?: ReactNode;
}) {
  return (
    <header className="page-head">
      <div>
        <h1 tabIndex={-1}>{title}</h1>
        {children && <p className="lead">{children}</p>}
      </div>
      {actions && <div className="actions no-print">{actions}</div>}
    </header>
  );
}

/** Sets the name of the tab. */
export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} · Playproof`;
  }, [title]);
}

export function Card({
  title,
  children,
  actions,
  className = '',
}: {
  readonly title?: ReactNode;
  readonly children: ReactNode;
  readonly actions?: ReactNode;
  readonly className?: string;
}) {
  const id = useId();
  return (
    <section className={`card ${className}`} {...(title !== undefined && { 'aria-labelledby': id })}>
      {(title !== undefined || actions !== undefined) && (
        <div className="card-head">
          {title !== undefined && <h2 id={id}>{title}</h2>}
          {actions !== undefined && <div className="actions no-print">{actions}</div>}
        </div>
      )}
      {children}
    </section>
  );
}

export function Tile({
  label,
  value,
  note,
  tone = 'plain',
}: {
  readonly label: string;
  readonly value: ReactNode;
  readonly note?: ReactNode;
  readonly tone?: 'plain' | 'good' | 'warn' | 'bad';
}) {
  return (
    <div className={`tile tone-${tone}`}>
      <dt>{label}</dt>
      <dd>
        <span className="tile-value">{value}</span>
        {note !== undefined && <span className="tile-note">{note}</span>}
      </dd>
    </div>
  );
}

export type Tone = 'good' | 'warn' | 'bad' | 'plain';

/** Says it in a word and a shape, never by colour alone. */
export function Badge({ tone, children }: { readonly tone: Tone; readonly children: ReactNode }) {
  const mark = { good: '✓', warn: '!', bad: '✕', plain: '·' }[tone];
  return (
    <span className={`badge tone-${tone}`}>
      <span aria-hidden="true">{mark}</span> {children}
    </span>
  );
}

export function Notice({
  tone = 'plain',
  children,
  title,
}: {
  readonly tone?: Tone;
  readonly children: ReactNode;
  readonly title?: string;
}) {
  return (
    <div className={`notice tone-${tone}`} role={tone === 'bad' ? 'alert' : 'status'}>
      {title !== undefined && <strong>{title} </strong>}
      {children}
    </div>
  );
}

/** A failure in words, with a way on. */
export function Fault({ fault, onRetry, what }: { readonly fault: ApiFault; readonly onRetry?: () => void; readonly what?: string }) {
  const title = fault.code === 'unreachable' ? 'No answer.' : `${what ?? 'This'} could not be read.`;
  return (
    <Notice tone="bad" title={title}>
      {fault.message}
      {fault.problem?.correlation_id !== undefined && ` (${fault.problem.correlation_id})`}{' '}
      {onRetry && (
        <button type="button" className="link" onClick={onRetry}>
          Try again
        </button>
      )}
    </Notice>
  );
}

export function Loading({ lines = 3 }: { readonly lines?: number }) {
  return (
    <div className="loading" role="status">
      <span className="sr-only">Loading</span>
      {Array.from({ length: lines }, (_, line) => (
        <span key={line} className="bone" aria-hidden="true" />
      ))}
    </div>
  );
}

/** An id as people can use it: short to read, whole to copy. */
export function Id({ id, href, label }: { readonly id: string; readonly href?: string; readonly label?: string | null | undefined }) {
  const text = label ?? shortId(id);
  const shown = <bdi className={label ? '' : 'mono'}>{text}</bdi>;
  return href === undefined ? (
    <span title={id}>{shown}</span>
  ) : (
    <Link href={href} title={id}>
      {shown}
    </Link>
  );
}

export function Copy({ text, what }: { readonly text: string; readonly what: string }) {
  const [done, setDone] = useState(false);
  const timer = useRef<ReturnType<typeof setTimeout> | null>(null);
  useEffect(() => () => clearTimeout(timer.current ?? undefined), []);
  const copy = (): void => {
    void navigator.clipboard?.writeText(text).then(() => {
      setDone(true);
      timer.current = setTimeout(() => setDone(false), 2_000);
    });
  };
  return (
    <button type="button" className="link no-print" onClick={copy} aria-label={`Copy ${what}`}>
      {done ? 'copied' : 'copy'}
    </button>
  );
}

export function Facts({ children }: { readonly children: ReactNode }) {
  return <dl className="facts">{children}</dl>;
}

export function Fact({ name, children }: { readonly name: string; readonly children: ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** Time passes by the second, for “3 s ago”. */
export function useTick(everyMs: number): number {
  const [tick, setTick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => setTick((before) => before + 1), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return tick;
}
