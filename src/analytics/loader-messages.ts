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
}

export type ToLoader =
  | { readonly type: 'start'; readonly options: LoaderProcessOptions }
  /**
   * Asks to be told once everything that is in the journal now (or, without one on Kafka, in the feed now) is loaded. By then every log
   * received before `instant` is in.
   */
  | { readonly type: 'milestone'; readonly instant: number }
  | { readonly type: 'stop' };

export type FromLoader =
  | { readonly type: 'status'; readonly status: LoaderStatus }
  | { readonly type: 'reached'; readonly instant: number }
  | { readonly type: 'log'; readonly message: string };
