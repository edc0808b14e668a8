/** The contract's vectors, through the very functions that judge live logs. Each case is judged alone. */
import { describe, expect, it } from 'vitest';
import { CODES, type Code } from '../../../src/domain/codes.ts';
import { DEFAULT_RULES } from '../../../src/domain/limits.ts';
import { completionOf } from '../../../src/domain/play.ts';
import { decodeLog } from '../../../src/domain/playback-log.ts';
import { judge } from '../../../src/domain/rules.ts';
import { readBatch, readSingleLog } from '../../../src/domain/strict-json.ts';
import { instantOf, readVectors, type VectorCase, vectorFacts } from '../../support/vector-facts.ts';

const vectors = readVectors();
const facts = vectorFacts(vectors.registry);

function refusal(code: Code, fields?: readonly string[]): VectorCase['expect'] {
  return { outcome: 'rejected', code, retryable: CODES[code].retryable, ...(fields && { fields }) };
}

function verdictOf({ body, received_at: receivedAt }: VectorCase): VectorCase['expect'] {
  const read = readSingleLog(Buffer.from(body, 'base64'));
  if (!read.ok) return refusal(read.code, read.fields);
  if (read.value.fault) return refusal(read.value.fault.code);
  const decoded = decodeLog(read.value.value as object, DEFAULT_RULES);
  if (!decoded.ok) return refusal('invalid_field', decoded.fields);
  const judgement = judge(decoded.log, facts, { receivedAt: instantOf(receivedAt), clockChecked: false, rules: DEFAULT_RULES });
  if (judgement.outcome === 'refused') return refusal(judgement.code);
  const { play } = judgement;
  return {
    outcome: 'accepted',
    status: play.status,
    billable: play.billable,
    reported_status: play.reportedStatus,
    store_id: play.storeId,
    supplier_id: play.supplierId,
    advertiser_id: play.advertiserId,
    content_hash: play.contentHash,
    completion: completionOf(play.durationActualMs, play.durationExpectedMs),
  };
}

describe('the vectors of the contract', () => {
  it('are all there', () => expect(vectors.cases).toHaveLength(117));

  it.each(vectors.cases.map((vector) => [vector.name, vector] as const))('%s', (_name, vector) => {
    const verdict = verdictOf(vector);
    // Only some accepted cases state the completion; whatever a case states must be so, and of a refusal nothing else may be said.
    if (vector.expect.outcome === 'accepted') expect(verdict).toMatchObject(vector.expect);
    else expect(verdict).toEqual(vector.expect);
  });

  it('say the same where one is sent in a batch with a good neighbour', () => {
    const good = Buffer.from(vectors.cases[0]?.body ?? '', 'base64').toString();
    let compared = 0;
    for (const vector of vectors.cases) {
      const single = readSingleLog(Buffer.from(vector.body, 'base64'));
      // What refuses the request as a whole (bytes, syntax) is no element of an array, and neither is a log with white space around 16 KiB.
      if (!single.ok) continue;
      const batch = readBatch(Buffer.from(`{"logs":[${good},${single.value.text()}]}`), 100);
      if (!batch.ok) throw new Error(batch.detail);
      const [first, second] = batch.value.logs;
      expect(first?.fault).toBeNull();
      expect(second?.fault).toEqual(single.value.fault);
      expect(second?.value).toEqual(single.value.value);
      expect(second?.text()).toBe(single.value.text());
      compared += 1;
    }
    expect(compared).toBeGreaterThan(100);
  });
});
