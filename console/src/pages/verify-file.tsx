/** An evidence file from wherever, verified on this computer. */
import { useState } from 'react';
import { Card, Notice, PageHead, useTitle } from '../parts/basics.tsx';
import type { Evidence } from '../verify/verify.ts';
import { EvidenceView } from './play.tsx';

const MAX_BYTES = 1024 * 1024;

export function VerifyFilePage() {
  useTitle('Verify a file');
  const [evidence, setEvidence] = useState<Evidence | null>(null);
  const [fault, setFault] = useState<string | null>(null);
  const open = async (file: File | undefined): Promise<void> => {
    if (!file) return;
    setEvidence(null);
    setFault(null);
    if (file.size > MAX_BYTES) {
      setFault('An evidence file has a few kilobytes; this one is larger than a megabyte.');
      return;
    }
    const read = readEvidence(await file.text());
    if (typeof read === 'string') setFault(read);
    else setEvidence(read);
  };
  return (
    <>
      <PageHead title="Verify a file">Evidence that somebody gave you. It is read and checked on this computer, and sent nowhere.</PageHead>
      <Card>
        <label className="file">
          Evidence file (JSON)
          <input type="file" accept="application/json,.json" onChange={({ target }) => void open(target.files?.[0])} />
        </label>
        {fault !== null && <Notice tone="bad">{fault}</Notice>}
      </Card>
      {evidence && <EvidenceView key={evidence.content_hash} evidence={evidence} id={null} />}
    </>
  );
}

function object(part: unknown): part is Record<string, unknown> {
  return typeof part === 'object' && part !== null && !Array.isArray(part);
}

/** A sentence where it is no evidence. Whether what it says is true is what verifying finds out. */
function readEvidence(text: string): Evidence | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return 'This file is no JSON. Evidence is what “Download the evidence” on the page of a play saves.';
  }
  const parts = ['log', 'key', 'verdict', 'enrichment', 'positions'];
  const texts = ['canonical', 'signature', 'content_hash'];
  if (!object(value)) return 'This file holds no evidence.';
  const missing = [...parts.filter((name) => !object(value[name])), ...texts.filter((name) => typeof value[name] !== 'string')];
  return missing.length === 0
    ? (value as unknown as Evidence)
    : `This file holds no evidence: ${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} missing.`;
}
