import { expect, it } from 'vitest';
import { ViewAges } from '../../../src/accept/view-ages.ts';

it('the age is that of the oldest view, and none while a judge has read nothing', () => {
  const ages = ViewAges.of(2);
  const judge = new ViewAges(ages.shared);
  expect(ages.oldestMs()).toBeNull();
  judge.looked(0, 0);
  expect(ages.oldestMs()).toBeNull();
  judge.looked(1, 60_000);
  expect(ages.oldestMs()).toBeGreaterThanOrEqual(60_000);
  judge.looked(1, 0);
  expect(ages.oldestMs()).toBeLessThan(60_000);
});
