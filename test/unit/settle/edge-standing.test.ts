import { expect, it } from 'vitest';
import { EdgeStanding } from '../../../src/settle/edge-standing.ts';

function standing(noted = false): { readonly box: EdgeStanding; readonly told: boolean[] } {
  const told: boolean[] = [];
  return { box: new EdgeStanding(noted, (refusal) => told.push(refusal !== null)), told };
}

it('takes logs while nobody knows that its position is lost', () => {
  const { box, told } = standing();
  box.heard({ state: 'starting', lastError: 'no broker answers' });
  box.heard({ state: 'settling', lastError: null });
  box.heard({ state: 'settling', lastError: 'no broker answers' });
  expect(told).toEqual([]);
});

it('takes none once its position is known to be lost, also while the settler starts again, until it is found', () => {
  const { box, told } = standing();
  box.heard({ state: 'position-lost', lastError: 'an older copy' });
  expect(box.refusal).toMatch(/read position of this box is lost/);
  box.heard({ state: 'starting', lastError: 'no broker answers' });
  box.heard({ state: 'settling', lastError: null });
  box.heard({ state: 'fenced', lastError: 'fenced' });
  box.heard({ state: 'starting', lastError: 'no broker answers' });
  expect(box.refusal).toMatch(/read position of this box is lost/);
  box.found();
  expect(told).toEqual([true, false]);
});

it('takes none from the beginning where it was lost when it was looked at last', () => {
  const { box, told } = standing(true);
  box.heard({ state: 'starting', lastError: 'no broker answers' });
  expect(told).toEqual([true]);
  box.found();
  expect(told).toEqual([true, false]);
});

it('takes none while it is fenced, until its position is found, or Kafka is away and cannot be asked', () => {
  const { box, told } = standing();
  box.heard({ state: 'fenced', lastError: 'fenced' });
  expect(box.refusal).toMatch(/Another process/);
  box.heard({ state: 'settling', lastError: null });
  expect(told).toEqual([true]);
  box.found();
  box.heard({ state: 'fenced', lastError: 'fenced' });
  box.heard({ state: 'starting', lastError: 'no broker answers' });
  expect(told).toEqual([true, false, true, false]);
});
