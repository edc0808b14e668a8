import { describe, expect, it } from 'vitest';
import { createdConfig, type TopicRole, topicFaults } from '../../../src/kafka/topic-rules.ts';

/** A topic as we make it in a cluster of three. */
function made(role: TopicRole, change: Record<string, string> = {}, replication = 3): Parameters<typeof topicFaults>[0] {
  const config = new Map(Object.entries({ ...createdConfig(role, replication), ...change }));
  return { role, partitions: role === 'positions' ? 1 : 12, replication, config };
}

describe('the rules for topics', () => {
  it.each(['journal', 'feed', 'positions'] as const)('find no fault with a %s that was made here', (role) => {
    expect(topicFaults(made(role))).toEqual({ weak: [], wrong: [] });
  });

  it('call a topic made on one broker weak, and nothing else', () => {
    expect(topicFaults(made('journal', {}, 1))).toEqual({
      weak: ['it has 1 replica, it needs 3', 'min.insync.replicas is 1, it must be at least 2'],
      wrong: [],
    });
  });

  it.each([
    ['journal', { 'min.insync.replicas': '1' }],
    ['feed', { 'unclean.leader.election.enable': 'true' }],
    ['positions', { 'min.insync.replicas': '1' }],
  ] as const)('call a %s with %j weak', (role, change) => {
    const { weak, wrong } = topicFaults(made(role, change));
    expect([weak.length, wrong.length]).toEqual([1, 0]);
  });

  it.each([
    ['journal', { 'retention.ms': '604800000' }],
    ['journal', { 'retention.bytes': '1073741824' }],
    ['journal', { 'cleanup.policy': 'compact,delete' }],
    ['feed', { 'retention.ms': '604800000' }],
    ['feed', { 'message.timestamp.type': 'CreateTime' }],
    ['feed', { 'max.message.bytes': '1000000' }],
    ['positions', { 'cleanup.policy': 'compact,delete' }],
    ['positions', { 'segment.bytes': '1073741824' }],
  ] as const)('call a %s with %j wrong', (role, change) => {
    const [name = '', value = ''] = Object.entries(change)[0] ?? [];
    const { weak, wrong } = topicFaults(made(role, change));
    expect(weak).toEqual([]);
    expect(wrong).toEqual([expect.stringContaining(`${name} is ${value}, it must be`)]);
  });

  it('want one partition for the positions', () => {
    expect(topicFaults({ ...made('positions'), partitions: 2 }).wrong).toEqual(['it has 2 partitions, it must have 1']);
  });

  it('do not take a setting for good that the broker did not tell', () => {
    const { weak, wrong } = topicFaults({ role: 'journal', partitions: 1, replication: 3, config: new Map() });
    expect([weak.length, wrong.length]).toEqual([2, 5]);
  });
});
