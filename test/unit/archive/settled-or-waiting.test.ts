import { expect, it } from 'vitest';
import type { StoredVerdict } from '../../../src/archive/archive.ts';
import { SettledOrWaiting } from '../../../src/archive/settled-or-waiting.ts';

const ID = new Uint8Array(16);
const VERDICT: StoredVerdict = { contentHash: new Uint8Array(32), flags: 0, receivedAt: 1 };

function archiveThatSays(...answers: (StoredVerdict | null)[]) {
  let asked = 0;
  return {
    asked: () => asked,
    find: async () => {
      asked += 1;
      return answers.shift() ?? null;
    },
  };
}

it('says that there is none only where nothing older waits', async () => {
  const archive = archiveThatSays(null);
  await expect(new SettledOrWaiting(archive, { isSettled: async () => false }).find(ID, () => 5)).rejects.toThrow('wait to be settled');
  expect(await new SettledOrWaiting(archive, { isSettled: () => true }).find(ID, () => 5)).toBeNull();
  expect(await new SettledOrWaiting(archive, { isSettled: async () => true }).find(ID, () => 5)).toBeNull();
});

it('asks the archive again for what was settled between the two questions', async () => {
  const archive = archiveThatSays(null, VERDICT);
  expect(await new SettledOrWaiting(archive, { isSettled: async () => true }).find(ID, () => 5)).toBe(VERDICT);
  expect(archive.asked()).toBe(2);
});

it('tells what the archive has, whatever waits, and asks for nothing where nothing final hangs on it', async () => {
  expect(await new SettledOrWaiting(archiveThatSays(VERDICT), { isSettled: async () => false }).find(ID, () => 5)).toBe(VERDICT);
  const never = { isSettled: () => Promise.reject(new Error('not to be asked')) };
  expect(await new SettledOrWaiting(archiveThatSays(null), never).find(ID, null)).toBeNull();
});

it('rejects where the backlog cannot be asked, or the archive', async () => {
  const away = { isSettled: () => Promise.reject(new Error('the brokers are away')) };
  await expect(new SettledOrWaiting(archiveThatSays(null), away).find(ID, () => 5)).rejects.toThrow('the brokers are away');
  const broken = { find: () => Promise.reject(new Error('the archive is away')) };
  await expect(new SettledOrWaiting(broken, away).find(ID, () => 5)).rejects.toThrow('the archive is away');
});
