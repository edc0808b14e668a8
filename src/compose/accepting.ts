/** Accept, as every composition starts it. */
import type { Logger } from 'pino';
import { Dispatcher } from '../accept/dispatcher.ts';
import type { WriterNote } from '../accept/writer.ts';
import type { Counters } from '../counters.ts';
import type { FeedSignal } from '../query/feed-signal.ts';
import type { Surroundings } from './service.ts';

/** Resolves when the journal is open and whole. @throws Error with the writer's sentence otherwise. */
export async function startAccepting(
  { config, logger, die }: Surroundings,
  counters: Counters,
  feedSignal: FeedSignal,
): Promise<Dispatcher> {
  const ready = Promise.withResolvers<void>();
  let started = false;
  const onNote = (note: WriterNote): void => {
    if (note.type === 'ready') {
      started = true;
      ready.resolve();
    } else if (note.type === 'settled') feedSignal.published();
    else if (note.type === 'log') tell(logger, note);
    else if (note.type === 'fatal') {
      if (started) die(note.message);
      else ready.reject(new Error(note.message));
    }
  };
  const dispatcher = new Dispatcher(config, counters, { onNote });
  await ready.promise;
  return dispatcher;
}

function tell(logger: Logger, { level, message }: Extract<WriterNote, { type: 'log' }>): void {
  logger[level]({ part: 'writer' }, message);
}
