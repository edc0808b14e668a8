/** Everything about one play, and a way to check it without taking the service's word. */
import { useState } from 'react';
import { Link } from 'wouter';
import type { Answer } from '../api/client.ts';
import { useCall, useNames } from '../api/queries.ts';
import { isUuid } from '../lib/address.ts';
import { download } from '../lib/download.ts';
import { duration, percent, shortId, VIEWER_ZONE, when } from '../lib/format.ts';
import { Badge, Card, Copy, Fact, Facts, Fault, Id, Loading, Notice, PageHead, useTitle } from '../parts/basics.tsx';
import { PlayBadge } from '../parts/play-list.tsx';
import { VerifyBox } from '../parts/verify-box.tsx';
import { useMay, useSession } from '../session/session.tsx';
import { rulesSeen } from '../verify/rules.ts';
import { canonicalOf, type Evidence } from '../verify/verify.ts';

export function PlayPage({ id }: { readonly id: string }) {
  useTitle(`Play ${shortId(id)}`);
  if (!isUuid(id)) {
    return (
      <>
        <h1>No such play</h1>
        <Notice tone="warn">
          A log_id has 36 characters, like 0192f0c1-7b1e-7c3d-9e4f-5a6b7c8d9e0f. This address holds something else.
        </Notice>
      </>
    );
  }
  return <Loaded id={id} />;
}

function Loaded({ id }: { readonly id: string }) {
  const [every, setEvery] = useState<number | false>(false);
  const { data, error, refetch } = useCall('GET /api/v1/playback-logs/{log_id}', { path: { log_id: id } }, { fresh: true, every });
  const unsettled = !data && error?.code === 'not_settled';
  if (unsettled !== (every !== false)) setEvery(unsettled ? 1_000 : false);
  if (unsettled) {
    return (
      <>
        <h1>Play {shortId(id)}</h1>
        <Notice>It is acknowledged and safe; who owns its log_id is being decided. This page goes on by itself in a moment.</Notice>
      </>
    );
  }
  if (error?.code === 'not_found') {
    return (
      <>
        <h1>No such play</h1>
        <Notice tone="warn">
          No accepted play with this log_id is here for you. A log that was refused is in <Link href="/quarantine">quarantine</Link>.
        </Notice>
      </>
    );
  }
  if (!data) return error ? <Fault fault={error} onRetry={() => void refetch()} what="The play" /> : <Loading lines={8} />;
  return <EvidenceView evidence={data} id={id} />;
}

/** @param id of a play that this service has; null for a file from elsewhere */
export function EvidenceView({ evidence, id }: { readonly evidence: Evidence; readonly id: string | null }) {
  const campaigns = useNames('campaign');
  const { log, verdict } = evidence;
  const logId = textOf(log.log_id);
  const campaign = campaigns.get(String(log.campaign_id).toLowerCase())?.name;
  const save = (): void => download(`${logId}.json`, `${JSON.stringify(evidence, null, 2)}\n`, 'application/json');
  return (
    <>
      <PageHead
        title={campaign ? <bdi>{campaign}</bdi> : `Play ${shortId(logId)}`}
        actions={
          id !== null && (
            <button type="button" onClick={save}>
              Download the evidence
            </button>
          )
        }
      >
        <PlayBadge {...verdict} /> {when(String(log.ended_at))} <span className="mono">{logId}</span>{' '}
        <Copy text={logId} what="the log_id" />
      </PageHead>
      <VerifyBox evidence={evidence} />
      <div className="grid-2">
        <Claim evidence={evidence} />
        <div className="stack">
          <Classification evidence={evidence} />
          <Copies evidence={evidence} id={id} />
          <KeyCard evidence={evidence} />
        </div>
      </div>
      <Rules evidence={evidence} />
      <Card title="The bytes that were signed">
        <p className="hint">RFC 8785, without the signature. The content hash is the SHA-256 of exactly these bytes.</p>
        <pre className="bytes">{canonicalOf(evidence)}</pre>
      </Card>
    </>
  );
}

/** What stands in a log is whatever was signed; only text is shown as text. */
function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value ?? '');
}

function Claim({ evidence: { log, enrichment } }: { readonly evidence: Evidence }) {
  const names = { campaign: useNames('campaign'), store: useNames('store'), content: useNames('content') };
  const name = (kind: keyof typeof names, value: unknown): string | null => names[kind].get(String(value).toLowerCase())?.name ?? null;
  const device = String(log.device_id).toLowerCase();
  const place = log.location as { lat: number; lng: number } | null | undefined;
  return (
    <Card title="The claim, as signed">
      <Facts>
        <Fact name="Campaign">
          <Id id={String(log.campaign_id)} label={name('campaign', log.campaign_id)} />
        </Fact>
        <Fact name="Content">
          <Id id={String(log.content_id)} label={name('content', log.content_id)} />
        </Fact>
        <Fact name="Device">
          <Id id={device} href={`/devices/${device}`} />
        </Fact>
        <Fact name="Started">{when(String(log.started_at), VIEWER_ZONE, true)}</Fact>
        <Fact name="Ended">{when(String(log.ended_at), VIEWER_ZONE, true)}</Fact>
        <Fact name="Shown">
          {duration(Number(log.duration_actual))} of {duration(Number(log.duration_expected))}
        </Fact>
        <Fact name="Claims">{String(log.status)}</Fact>
        <Fact name="Location">{place ? `${place.lat}, ${place.lng}` : 'not given'}</Fact>
        <Fact name="Screenshot">
          {log.screenshot_hash ? <span className="mono wrap">{textOf(log.screenshot_hash)}</span> : 'not given'}
        </Fact>
      </Facts>
      <h3>Added from the registry, as it stood then</h3>
      <Facts>
        <Fact name="Store">
          <Id id={enrichment.store_id} label={name('store', enrichment.store_id)} href={`/plays?store_id=${enrichment.store_id}`} />
        </Fact>
        <Fact name="Region">{enrichment.region ?? 'none'}</Fact>
        <Fact name="Supplier (is paid)">
          <Id id={enrichment.supplier_id} href={`/plays?supplier_id=${enrichment.supplier_id}`} />
        </Fact>
        <Fact name="Advertiser (pays)">
          <Id id={enrichment.advertiser_id} href={`/plays?advertiser_id=${enrichment.advertiser_id}`} />
        </Fact>
      </Facts>
    </Card>
  );
}

function Classification({ evidence: { log, verdict } }: { readonly evidence: Evidence }) {
  const { rules } = useSession();
  return (
    <Card title="Classification">
      <div className="completion">
        <meter
          min={0}
          max={1}
          optimum={1}
          low={rules.completion_threshold}
          high={rules.completion_threshold}
          value={verdict.completion}
          aria-label={`${percent(verdict.completion)} shown`}
        />
        <span>
          {percent(verdict.completion)} shown; {percent(rules.completion_threshold)} are needed
        </span>
      </div>
      <p>
        The screen claims <strong>{String(log.status)}</strong>. Recorded as <strong>{verdict.status}</strong>,{' '}
        {verdict.billable ? <Badge tone="good">billable</Badge> : <Badge tone="warn">not billable</Badge>}.
      </p>
      <Facts>
        <Fact name="Received">{when(verdict.received_at, VIEWER_ZONE, true)}</Fact>
        <Fact name="Content">{verdict.content_known ? 'in the catalogue' : 'not in the catalogue'}</Fact>
        <Fact name="Send time">{verdict.clock_checked ? 'checked' : 'not told'}</Fact>
        <Fact name="Rules">version {verdict.rule_version}</Fact>
      </Facts>
    </Card>
  );
}

/** Analytics is asked for this very play; the archive is where this page comes from. */
function Copies({ evidence, id }: { readonly evidence: Evidence; readonly id: string | null }) {
  const ended = Date.parse(String(evidence.log.ended_at));
  const query = {
    device_id: String(evidence.log.device_id),
    from: new Date(ended).toISOString(),
    to: new Date(ended + 1).toISOString(),
    limit: '1000',
  };
  const analytics = useCall('GET /api/v1/playback-logs', { query }, { enabled: id !== null, fresh: true });
  const copy = analytics.data?.items.find(({ log_id: logId }) => logId === id);
  return (
    <Card title="Where its copies are">
      <Facts>
        <Fact name="Archive">{id === null ? 'a file, from elsewhere' : <Badge tone="good">this evidence</Badge>}</Fact>
        <Fact name="Journal">
          <span className="mono wrap">{evidence.positions.journal}</span>
        </Fact>
        <Fact name="Feed (billing)">
          <span className="mono wrap">{evidence.positions.feed}</span>
        </Fact>
        {id !== null && <Fact name="Analytics">{analyticsWord(analytics.isPending, analytics.error !== null, copy, evidence)}</Fact>}
      </Facts>
    </Card>
  );
}

function analyticsWord(
  pending: boolean,
  failed: boolean,
  copy: Answer<'GET /api/v1/playback-logs'>['items'][number] | undefined,
  evidence: Evidence,
) {
  if (pending) return 'asking …';
  if (failed) return <Badge tone="warn">cannot be asked now</Badge>;
  if (!copy) return <Badge tone="warn">not loaded yet</Badge>;
  const same =
    copy.content_hash === evidence.content_hash && copy.status === evidence.verdict.status && copy.billable === evidence.verdict.billable;
  return same ? <Badge tone="good">the same content and verdict</Badge> : <Badge tone="bad">differs: run `playproof audit`</Badge>;
}

function KeyCard({ evidence: { key, log } }: { readonly evidence: Evidence }) {
  const all = useMay('see-all');
  return (
    <Card title="The key" actions={all && <Link href={`/devices/${String(log.device_id).toLowerCase()}`}>All keys of the device</Link>}>
      <Facts>
        <Fact name="Key">
          <span className="mono">{key.key_id}</span>
        </Fact>
        <Fact name="Algorithm">{key.algorithm}</Fact>
        <Fact name="Valid from">{key.valid_from === null ? 'the beginning' : when(key.valid_from)}</Fact>
        <Fact name="Valid until">{key.valid_until === null ? 'further notice' : when(key.valid_until)}</Fact>
      </Facts>
      <details>
        <summary>Public key (PEM)</summary>
        <pre className="bytes">{key.public_key}</pre>
      </details>
    </Card>
  );
}

function Rules({ evidence }: { readonly evidence: Evidence }) {
  const { rules } = useSession();
  const stores = useNames('store');
  const store = stores.get(evidence.enrichment.store_id)?.name ?? `store ${shortId(evidence.enrichment.store_id)}`;
  return (
    <Card title="Each rule, and what it saw">
      <ol className="rules">
        {rulesSeen(evidence, rules, store).map(({ number, asks, saw, skipped }) => (
          <li key={number}>
            <Badge tone={skipped ? 'plain' : 'good'}>{skipped ? 'not asked' : 'passed'}</Badge>
            <span>
              <strong>{asks}.</strong> <bdi>{saw}</bdi>
            </span>
          </li>
        ))}
      </ol>
    </Card>
  );
}
