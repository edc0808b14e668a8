/** What the service and its loading process say to each other over IPC. */
import type { KafkaSettings } from '../config.ts';
import type { TopicRole } from '../kafka/topic-rules.ts';
import type { LoaderStatus } from './loader.ts';

export interface LoaderProcessOptions {
  readonly kafka: KafkaSettings;
  readonly topicNames?: Readonly<Partial<Record<TopicRole, string>>>;
  readonly clickhouseUrl: string;
  /** The group that settles a journal on Kafka; null where the journal is elsewhere. */
  readonly settleGroup: string | null;
  /** See `EngineSettings.analyticsSkip`. */
  readonly skip: readonly string[];
  /** Of a journal that is not on Kafka: the asker's own. Null: there is none, or it is on Kafka. */
  readonly journalId: string | null;
  /** Name of this process. */
  readonly instance: string;
}

export type ToLoader =
  | { readonly type: 'start'; readonly options: LoaderProcessOptions }
  /**
   * Asks to tell those who report once everything that is in the journal now (or, without one on Kafka, in the feed now) is loaded. By then
   * every log that this journal's nodes received before `instant` is in.
   */
  | { readonly type: 'milestone'; readonly instant: number }
  | { readonly type: 'stop' };

export type FromLoader = { readonly type: 'status'; readonly status: LoaderStatus } | { readonly type: 'log'; readonly message: string };
